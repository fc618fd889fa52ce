# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One tenant's data out of a store and back into one: what backup, restore, export and removal share, whatever the store.

A store is one file in ``systems/`` with four functions, each about one tenant (or a list, where the store answers for many at once):

``dump(client, tenant, sink) -> Taken``
    Writes everything that is the tenant's into ``sink``, member by member, in constant memory. Raises OpsError if it is not all of it.
``load(client, tenant, source, ...) -> Counts``
    Puts a dump back, and returns what is there afterwards. Raises OpsError, and InvalidInput if the dump is another tenant's.
``count(client, tenant) -> Counts``
    What is there now.
``remove(client, tenant) -> Counts``
    Takes the tenant's data away, and nothing else of it (its account stays). What was removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

# What a member may be called: segments that no file system and no object store takes for something else.
MEMBER = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}(/[a-z0-9_][a-z0-9_.-]{0,99}){0,5}")

# How many there are of what: tables, labels, types of keys, objects.
Counts = Mapping[str, int]


class Writer(Protocol):
    """Where a member's bytes go, from the first to the last."""

    def write(self, data: bytes, /) -> int: ...


class Reader(Protocol):
    """Where a member's bytes come from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Sink(Protocol):
    """Takes members. A member whose block raises is not kept; a name may be used once. Raises ValueError for names that MEMBER does not match."""

    def writing(self, name: str) -> AbstractContextManager[Writer]: ...


class Source(Protocol):
    """Gives members back. Raises OpsError if one is damaged, at the latest when its last byte has been read."""

    @property
    def names(self) -> Sequence[str]: ...

    def reading(self, name: str) -> AbstractContextManager[Reader]: ...


@dataclass(frozen=True)
class Taken:
    """What a dump holds. ``marker`` is the point in the store's own terms (LSN, transaction, replication offset), ``at`` the clock's (UTC)."""

    counts: Counts
    at: datetime
    marker: Mapping[str, Any] = field(default_factory=dict)
