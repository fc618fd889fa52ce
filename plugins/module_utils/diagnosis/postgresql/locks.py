# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who blocks whom: the trees of waiting sessions, each told from its root, the session that waits for nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ...health.model import DIAGNOSE, Check, Finding, Session, Threshold
from ...health.reading import reviewed
from ...health.systems.postgresql.server import MONITOR, Row, Server, tenants_of
from ...health.systems.postgresql.sessions import activity
from ...health.systems.ranking import duration
from .statements import DOCUMENT

# Shorter waits are daily life.
MIN_WAIT = 1.0
_MAX_LINES = 30


def _named(row: Row | None, pid: int) -> str:
    if row is None:
        return "a prepared transaction" if pid == 0 else f"process {pid}, which has ended"
    role = row["role"] or row["kind"]
    return f"process {pid} ({role}{'/' + str(row['application']) if row['application'] else ''})"


def _doing(row: Row | None) -> str:
    if row is None:
        return ""
    since = f", {duration(float(row['in_transaction']))} in its transaction" if row["in_transaction"] is not None else ""
    return f": {row['state'] or row['kind']}{since}"


def children(waiting: Mapping[int, Row]) -> dict[int, list[int]]:
    """Blocker -> who waits for it directly, in order of process number."""
    found: dict[int, list[int]] = defaultdict(list)
    for pid, row in sorted(waiting.items()):
        for blocker in sorted(set(row["blockers"])):
            found[blocker].append(pid)
    return found


def tree(
    root: int, below: Mapping[int, Sequence[int]], rows: Mapping[int, Row], depth: int = 0, seen: frozenset[int] = frozenset()
) -> Iterator[tuple[int, str]]:
    """Each session of a tree with its line, the root first; one that is there twice (it waits for two others) is followed once on each way."""
    row = rows.get(root)
    waits = f" waits {duration(float(row['waiting'] or 0))}" if depth and row is not None else ""
    yield root, f"{'  ' * depth}{'<- ' if depth else ''}{_named(row, root)}{waits}{_doing(row)}"
    for pid in below.get(root, ()):
        if pid not in seen:
            yield from tree(pid, below, rows, depth + 1, seen | {root})


def trees(every: Sequence[Row]) -> Iterator[Finding]:
    """One finding per root. Sessions that wait for each other in a ring have no root; the server ends those within deadlock_timeout."""
    rows = {int(row["pid"]): row for row in every}
    waiting = {pid: row for pid, row in rows.items() if row["blockers"] and float(row["waiting"] or 0) >= MIN_WAIT}
    below = children(waiting)
    for root in sorted(set(below) - set(waiting)):
        lines = list(tree(root, below, rows))
        behind = sorted({pid for pid, _line in lines} - {root})
        longest = max(float(waiting[pid]["waiting"]) for pid in behind)
        row = rows.get(root)
        who = f"{row['role'] or row['kind']}/{row['application'] or '-'}" if row else "no session"
        yield Finding(
            observed=3600 * len(behind),
            name=who,
            tenants=tenants_of(*(str(rows[pid]["role"]) for pid in behind)),
            message=f"root {_named(row, root)}{_doing(row)} blocks {len(behind)} session(s), the longest for {duration(longest)}; "
            f"each loses an hour an hour for as long as it lasts. Ask its owner, or SELECT pg_terminate_backend({root})",
            evidence="\n".join(line for _pid, line in lines[:_MAX_LINES]),
        )


def _locks(session: Session[Server]) -> list[Finding]:
    every = activity(session)
    return reviewed(trees(every), 1 + len(every), f"sessions, none waits for another for {MIN_WAIT:g} s")


LOCKS: Check[Server] = Check(
    id="postgresql.lock_trees",
    question="Which session is at the root of the waiting?",
    system="postgresql",
    query="SELECT pid, pg_blocking_pids(pid), state, now() - xact_start FROM pg_stat_activity WHERE wait_event_type = 'Lock' OR state LIKE 'idle in tr%'",
    runbook=f"{DOCUMENT}#lock_trees",
    threshold=Threshold(degraded=3600, unit="s/h", source="one session that stands still loses an hour in an hour"),
    profiles=(DIAGNOSE,),
    grants=MONITOR,
    run=_locks,
)
