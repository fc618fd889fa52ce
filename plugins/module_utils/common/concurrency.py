# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded concurrency for calls that wait on the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: either ``result`` or ``error`` is meaningful."""

    item: Item
    result: Result | None
    error: Exception | None


def each(items: Iterable[Item], work: Callable[[Item], Result], limit: int) -> Iterator[Outcome[Item, Result]]:
    """Run ``work`` on every item, at most ``limit`` at a time, and yield outcomes as they come.

    An exception of one item is its outcome and does not stop the others; at most ``2 * limit`` items are in flight or
    queued, so that memory does not grow with the list. Raises ValueError if ``limit`` is below 1.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    source = iter(items)
    with ThreadPoolExecutor(max_workers=limit) as pool:
        running: dict[Future[Result], Item] = {pool.submit(work, item): item for item in islice(source, 2 * limit)}
        while running:
            done, _pending = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                item = running.pop(future)
                for following in islice(source, 1):
                    running[pool.submit(work, following)] = following
                failure = future.exception()
                if failure is None:
                    yield Outcome(item, future.result(), None)
                elif isinstance(failure, Exception):
                    yield Outcome(item, None, failure)
                else:
                    raise failure
