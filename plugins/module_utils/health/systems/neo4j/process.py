# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and files of the server's process; on Enterprise, the page cache and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....clients.neo4j import Neo4jClient
from ....reports.model import OK
from ...model import LOWER, Check, Finding, NoData, Session, Threshold
from .graph import SYSTEM, beans, metric, needs_enterprise

_GRANTS = ("GRANT EXECUTE PROCEDURE dbms.queryJmx ON DBMS TO <role>",)
_MIB = 1024 * 1024
# What each of Java's collectors calls the part of the heap in which things grow old.
_OLD = ("Tenured Gen", "G1 Old Gen", "PS Old Gen", "ZGC Old Generation", "ZHeap", "Shenandoah")


def _old_generation(session: Session[Neo4jClient]) -> tuple[str, Mapping[str, Any]]:
    for bean, attributes in beans(session).items():
        name = bean.partition("name=")[2].split(",")[0]
        if "type=MemoryPool" in bean and name in _OLD:
            return name, attributes
    raise NoData("the server's process has no memory pool that is known as the old generation of the heap")


def _heap(session: Session[Neo4jClient]) -> Iterator[Finding]:
    name, pool = _old_generation(session)
    after, usage = pool.get("CollectionUsage"), pool.get("Usage")
    if not isinstance(after, Mapping) or not isinstance(usage, Mapping):
        raise NoData(f"the memory pool {name} does not tell its use")
    limit = float(usage["max"])
    if limit <= 0:
        raise NoData(f"the memory pool {name} has no limit")
    left = float(after["used"])
    if left == 0 == float(after["committed"]):
        yield Finding(verdict=OK, message=f"{name} has not been collected yet; {float(usage['used']) / _MIB:.0f} of {limit / _MIB:.0f} MiB")
        return
    # What is in use between two collections says nothing: most of it is waiting to be collected.
    yield Finding(
        observed=round(100 * left / limit, 2),
        capacity=100,
        message=f"{left / _MIB:.0f} of {limit / _MIB:.0f} MiB of {name} were left after its last collection",
    )


def _files(session: Session[Neo4jClient]) -> Iterator[Finding]:
    system = next((attributes for bean, attributes in beans(session).items() if "type=OperatingSystem" in bean), {})
    count, limit = system.get("OpenFileDescriptorCount"), system.get("MaxFileDescriptorCount")
    if not isinstance(count, (int, float)) or not isinstance(limit, (int, float)) or limit <= 0:
        raise NoData("the server's process does not tell how many files it has open")
    yield Finding(observed=round(100 * count / limit, 2), capacity=100, message=f"{count:.0f} of {limit:.0f} files and connections are open")


def _page_cache(session: Session[Neo4jClient]) -> Iterator[Finding]:
    needs_enterprise(session, "tells nothing about its page cache")
    ratio = 100 * min(metric(session, "page_cache.hit_ratio").values())
    yield Finding(observed=round(ratio, 2), message=f"{ratio:.1f} % of pages were found in memory")


def _checkpoints(session: Session[Neo4jClient]) -> Iterator[Finding]:
    needs_enterprise(session, "tells nothing about its checkpoints; its log (debug.log) does")
    found = metric(session, ".check_point.duration")
    slowest = max(found, key=lambda name: found[name])
    yield Finding(
        observed=round(found[slowest] / 1000, 3),
        message=f"the slowest of the last checkpoints of {len(found)} databases: {slowest} {found[slowest] / 1000:.1f} s",
    )


HEAP = Check(
    id="neo4j.heap",
    question="How much of the heap is left in use when the garbage is out?",
    system=SYSTEM,
    query="CALL dbms.queryJmx('java.lang:type=MemoryPool,*') (CollectionUsage of the old generation)",
    runbook="runbooks/neo4j.md#heap",
    threshold=Threshold(degraded=80, critical=95, unit="%", source="usual practice: above 80 % collections follow one another, at 100 % the server ends"),
    grants=_GRANTS,
    timeout=8.0,
    run=_heap,
)

FILES = Check(
    id="neo4j.open_files",
    question="How many of the files and connections that it may have are open?",
    system=SYSTEM,
    query="CALL dbms.queryJmx('java.lang:type=OperatingSystem') (OpenFileDescriptorCount, MaxFileDescriptorCount)",
    runbook="runbooks/neo4j.md#open_files",
    threshold=Threshold(degraded=80, critical=95, unit="%", source="usual practice: at 100 % neither connections nor store files can be opened"),
    grants=_GRANTS,
    timeout=8.0,
    run=_files,
)

PAGE_CACHE = Check(
    id="neo4j.page_cache",
    question="How much of what is read is found in memory?",
    system=SYSTEM,
    query="CALL dbms.queryJmx('neo4j.metrics:*') (page_cache.hit_ratio)",
    runbook="runbooks/neo4j.md#page_cache",
    threshold=Threshold(degraded=98, critical=90, unit="%", worse=LOWER, source="usual practice for graphs: below 98 % queries wait for the disk"),
    grants=_GRANTS,
    run=_page_cache,
)

CHECKPOINTS = Check(
    id="neo4j.checkpoints",
    question="How long do checkpoints take?",
    system=SYSTEM,
    query="CALL dbms.queryJmx('neo4j.metrics:*') (check_point.duration)",
    runbook="runbooks/neo4j.md#checkpoints",
    threshold=Threshold(degraded=300, critical=900, unit="s", source="Neo4j begins one every 15 min (db.checkpoint.interval.time): it must be done by then"),
    grants=_GRANTS,
    run=_checkpoints,
)
