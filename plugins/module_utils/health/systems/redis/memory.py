# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory against its limit, what happens at the limit, and memory that is lost to fragmentation."""

from __future__ import annotations

from collections.abc import Iterator

from ....common.errors import InvalidInput
from ....reports.model import DEGRADED, OK
from ...model import Check, Finding, Session, Threshold
from .node import SYSTEM, Node, grant, info

STORE, CACHE = "store", "cache"
_MIB = 1024 * 1024
_FLOOR = 100 * _MIB


def purpose(session: Session[Node]) -> str:
    """STORE (must not lose data; the default) or CACHE. Raises InvalidInput."""
    found = str(session.options.get("purpose", STORE))
    if found not in (STORE, CACHE):
        raise InvalidInput("health options of Redis", [f"purpose is {found!r}; it must be {STORE} or {CACHE}"])
    return found


def _memory(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    limit = found.number("maxmemory")
    # Buffers for replicas and the append-only file do not count against maxmemory.
    used = found.number("used_memory") - (found.number("mem_not_counted_for_evict") if "mem_not_counted_for_evict" in found else 0)
    whole = limit or found.number("total_system_memory")
    what = "maxmemory" if limit else "the machine's memory (there is no maxmemory)"
    yield Finding(observed=round(100 * used / whole, 2), capacity=100, message=f"{used / _MIB:.1f} of {whole / _MIB:.0f} MiB, {what}")


def _maxmemory(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    limit = found.number("maxmemory")
    if limit:
        yield Finding(observed=limit, unit="bytes", verdict=OK, message=f"maxmemory is {limit / _MIB:.0f} MiB")
        return
    used, machine = found.number("used_memory"), found.number("total_system_memory")
    message = f"there is no maxmemory: Redis ({used / _MIB:.1f} MiB now) grows until the machine ({machine / _MIB:.0f} MiB) kills it or something else"
    yield Finding(observed=0, unit="bytes", verdict=DEGRADED, message=message)


def _policy(session: Session[Node]) -> Iterator[Finding]:
    policy, kind = info(session)["maxmemory_policy"], purpose(session)
    fits = (policy == "noeviction") == (kind == STORE)
    if fits:
        yield Finding(observed=policy, verdict=OK, message=f"{policy} fits a {kind}")
    elif kind == STORE:
        yield Finding(observed=policy, verdict=DEGRADED, message=f"at its limit this node throws away keys ({policy}), of any tenant; a store needs noeviction")
    else:
        yield Finding(observed=policy, verdict=DEGRADED, message=f"at its limit this cache refuses writes ({policy}) instead of dropping old keys")


def _fragmentation(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    ratio = found.number("mem_fragmentation_ratio")
    lost = found.number("mem_fragmentation_bytes")
    message = f"{lost / _MIB:.0f} MiB more are taken from the machine than used (ratio {ratio:.2f})"
    if lost < _FLOOR:
        yield Finding(observed=ratio, verdict=OK, message=f"{message}; below {_FLOOR // _MIB} MiB that is no matter")
    else:
        yield Finding(observed=ratio, message=message)


MEMORY = Check(
    id="redis.memory",
    question="How much of the memory that it may use is used?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO memory (used_memory - mem_not_counted_for_evict, maxmemory)",
    runbook="runbooks/redis.md#memory",
    threshold=Threshold(
        degraded=90, critical=97, unit="%", source="Monitoring & Observability Guide, RedisHighMemoryUsage (90); beyond 97 writes are about to be refused"
    ),
    grants=grant("info"),
    run=_memory,
)

MAXMEMORY = Check(
    id="redis.maxmemory",
    question="Is there a limit to its memory?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO memory (maxmemory, total_system_memory)",
    runbook="runbooks/redis.md#maxmemory",
    grants=grant("info"),
    run=_maxmemory,
)

POLICY = Check(
    id="redis.maxmemory_policy",
    question="Does it do the right thing when memory is full?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO memory (maxmemory_policy)",
    runbook="runbooks/redis.md#maxmemory_policy",
    grants=grant("info"),
    run=_policy,
)

FRAGMENTATION = Check(
    id="redis.fragmentation",
    question="How much more memory does it take from the machine than it uses?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO memory (mem_fragmentation_ratio, mem_fragmentation_bytes)",
    runbook="runbooks/redis.md#fragmentation",
    threshold=Threshold(
        degraded=1.5,
        critical=3,
        unit="ratio",
        source="usual practice; the floor is active-defrag-ignore-bytes (100 MiB), below which Redis itself does nothing",
    ),
    grants=grant("info"),
    run=_fragmentation,
)
