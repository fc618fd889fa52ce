# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of an object store look with, whatever the driver: questions that only read, each with few requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ....common.errors import AccessDenied
from ...clocks import Span
from ...model import Check, Session, Threshold

SYSTEM = "object_store"
ENABLED = "Enabled"


@dataclass(frozen=True)
class Lock:
    """A bucket's object lock: the default retention of what is written into it. ``days`` is 0 where there is none."""

    mode: str
    days: int


@dataclass(frozen=True)
class Names:
    """The buckets that the account may list, with the time that the answer took, and how far the store's clock is from ours (seconds)."""

    buckets: frozenset[str]
    seconds: float
    skew: Span | None


class Driver(Protocol):
    """How a kind of store is asked. All methods raise AccessDenied, Unreachable, OpsError."""

    where: str
    address: tuple[str, int] | None  # whose certificate is looked at; None: somebody else's business
    ca_file: str | None

    def names(self) -> Names:
        """All buckets."""

    def exists(self, bucket: str) -> bool:
        """Whether there is such a bucket. Raises AccessDenied if the account may not know."""

    def versioning(self, bucket: str) -> str:
        """``Enabled``, ``Suspended`` or ""."""

    def lock(self, bucket: str) -> Lock | None:
        """The object lock; None if the bucket has none."""

    def open_for(self, bucket: str) -> str:
        """How strangers get in, "" if they do not. "" as the bucket's name: the store itself."""

    def sizes(self, bucket: str) -> Iterator[tuple[list[int], bool]]:
        """The bytes of each object of a bucket, a thousand at a time, and whether more follow. Raises AccessDenied if the account may not list them."""

    def limit(self, seconds: float) -> None:
        """Bound the requests that follow."""

    def close(self) -> None:
        """Close connections."""


Run = Session[Driver]


def names(session: Run) -> Names:
    """The list of buckets, asked for once."""
    return session.once("names", lambda store: store.names())


def there(session: Run, bucket: str) -> bool:
    """Whether a bucket exists. An account with few rights sees few names, so one that is not listed is asked for."""
    return bucket in names(session).buckets or session.client.exists(bucket)


def denied(where: str, what: str) -> AccessDenied:
    """Our account may not ask this."""
    return AccessDenied(f"{where} does not let our account {what}")


def check(name: str, question: str, run: Callable[[Run], Any], query: str, rights: str, *, threshold: Threshold | None = None, **more: Any) -> Check[Driver]:
    """A check of this system. ``rights``: the actions that it needs, "" for none."""
    return Check(
        id=f"{SYSTEM}.{name}",
        question=question,
        system=SYSTEM,
        run=run,
        query=query,
        runbook=f"runbooks/{SYSTEM}.md#{name}",
        threshold=threshold,
        grants=(f"{rights} (docs/runbooks/object_store.md#rights)",) if rights else (),
        **more,
    )
