# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How old the data of a standby are, by a row that is written every few seconds: right without traffic, and right when the receiver is cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import LiteralString

from ....common.errors import OpsError
from ...comparisons import finding
from ...model import Check, Comparison, Finding, NoData, NotApplicable, Session, Side, Threshold
from ..ranking import duration
from .server import RUNBOOK, Server, state

# The guides' alert (ReplicationLag) and the enterprise tier's recovery point objective.
LAG = Threshold(
    degraded=30,
    critical=300,
    unit="s",
    source="Production Deployment Guide, alert ReplicationLag (30 s); Enterprise Operations Guide, recovery_objectives: RPO 5 minutes",
)

_MADE: LiteralString = "SELECT to_regclass('leanvibe_private.heartbeat') IS NOT NULL AS made"
_HEARTBEAT: LiteralString = (
    "SELECT extract(epoch FROM max(written_at))::float8 AS at, extract(epoch FROM clock_timestamp())::float8 AS now FROM leanvibe_private.heartbeat"
)


def _nothing(session: Session[Server], reason: str) -> OpsError:
    """Nobody can say how late a standby is. That is fine only where it is declared."""
    if session.options.get("heartbeat", True):
        return NoData(f"{reason}; where none is meant to be, say so (health option heartbeat: false)")
    session.facts["heartbeat"] = {"recovering": bool(state(session)["recovering"]), "at": None, "reason": reason}
    return NotApplicable(f"{reason}, and none is declared (health option heartbeat)")


def _heartbeat(session: Session[Server]) -> Iterator[Finding]:
    if not session.client.rows(_MADE)[0]["made"]:
        raise _nothing(session, "this database has no heartbeat (leanvibe_private.heartbeat), which the role leanvibe.ops.platform_database makes")
    row = session.client.rows(_HEARTBEAT)[0]
    if row["at"] is None:
        raise _nothing(session, "no heartbeat was ever written: nothing that writes it is deployed or works")
    recovering = bool(state(session)["recovering"])
    session.facts["heartbeat"] = {"recovering": recovering, "at": row["at"], "reason": ""}
    if recovering:
        raise NotApplicable("a standby's heartbeat is compared with its primary's (postgresql.replication_lag)")
    age = max(0.0, row["now"] - row["at"])
    yield Finding(observed=round(age, 1), message=f"the heartbeat was written {duration(age)} ago; while it is old, nobody can say how late standbys are")


def _lag(sides: Sequence[Side]) -> Iterator[Finding]:
    reasons = [f"{side.region}: {side.fact['reason']}" for side in sides if side.fact["at"] is None]
    if reasons:
        raise NotApplicable("; ".join(reasons))
    primaries = [side for side in sides if not side.fact["recovering"]]
    standbys = [side for side in sides if side.fact["recovering"]]
    if len(primaries) != 1 or not standbys:
        raise NotApplicable("there is no one primary with a standby (see postgresql.one_primary)")
    for side in standbys:
        # The two are read a moment apart, so it may seem late by that much, and never early.
        late = max(0.0, primaries[0].fact["at"] - side.fact["at"])
        yield finding(side, observed=round(late, 1), message=f"its data are {duration(late)} older than those of {primaries[0].region}, by the heartbeat")


HEARTBEAT: Check[Server] = Check(
    id="postgresql.heartbeat",
    question="Is the replication heartbeat being written?",
    system="postgresql",
    query=_HEARTBEAT,
    runbook=f"{RUNBOOK}#heartbeat",
    threshold=Threshold(degraded=30, unit="s", source="a heartbeat older than the lag it is to measure (30 s) measures nothing"),
    grants=("GRANT USAGE ON SCHEMA leanvibe_private TO pg_monitor", "GRANT SELECT ON leanvibe_private.heartbeat TO pg_monitor", "GRANT pg_monitor TO <role>"),
    run=_heartbeat,
)
LAGGING = Comparison(
    id="postgresql.replication_lag",
    question="How old are a standby's data?",
    system="postgresql",
    query=_HEARTBEAT,
    runbook=f"{RUNBOOK}#replication_lag",
    threshold=LAG,
    fact="heartbeat",
    told_by="postgresql.heartbeat",
    compare=_lag,
)
