# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL with psycopg, a session for each thread; with ``transaction`` each sequence is one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import psycopg


def send(stage: dict[str, Any]) -> int:
    """A request is ``[statement, parameters or null]``; BEGIN and COMMIT are counted, too."""
    pending = iter(stage["sequences"])
    lock = threading.Lock()
    count = [0]
    frame = 2 if stage["transaction"] else 0

    def following() -> Iterator[list[list[Any]]]:
        while True:
            with lock:
                sequence = next(pending, None)
            if sequence is None:
                return
            yield sequence

    def work() -> None:
        with psycopg.connect(**stage["connection"], autocommit=True, prepare_threshold=None) as connection:
            for sequence in following():
                with connection.transaction() if stage["transaction"] else nullcontext():
                    for statement, parameters in sequence:
                        connection.execute(statement, parameters)
                with lock:
                    count[0] += len(sequence) + frame

    workers = [threading.Thread(target=work) for _number in range(min(stage["concurrency"], len(stage["sequences"])))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    expected = sum(len(sequence) + frame for sequence in stage["sequences"])
    if count[0] != expected:
        raise SystemExit(f"{count[0]} of {expected} statements were sent")
    return count[0]
