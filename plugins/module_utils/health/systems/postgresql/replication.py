# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication as the primary sees its standbys, and as a standby sees itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, NotApplicable, Session, Threshold
from ...reading import single
from ..ranking import amount, duration
from .server import MONITOR, RUNBOOK, Server, hidden, number, only_primary, only_standby, settings

MEBIBYTE = 2**20
BYTES = Threshold(
    degraded=64 * MEBIBYTE,
    critical=1024 * MEBIBYTE,
    unit="B",
    source="usual practice: four segments of WAL may be on their way; a gigabyte is minutes of loss and a long catching up",
)

_STANDBYS: LiteralString = """
SELECT application_name AS name, state, sync_state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 AS behind,
       extract(epoch FROM replay_lag)::float8 AS seconds
FROM pg_stat_replication ORDER BY application_name
"""
_SLOTS: LiteralString = "SELECT slot_name AS name FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary ORDER BY slot_name"
_RECEIVER: LiteralString = """
SELECT status, slot_name AS slot, extract(epoch FROM clock_timestamp() - last_msg_receipt_time)::float8 AS silent FROM pg_stat_wal_receiver
"""
_REPLAY: LiteralString = """
SELECT pg_is_wal_replay_paused() AS paused, pg_last_wal_replay_lsn()::text AS position,
       pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 AS behind,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS seconds
"""


def _standbys(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    rows = session.client.rows(_STANDBYS)
    if any(row["state"] is None for row in rows):
        raise hidden("pg_stat_replication")
    # Base backups and pg_receivewal take WAL, too, and replay nothing.
    standbys = [row for row in rows if row["state"] != "backup" and row["behind"] is not None]
    slots = [str(row["name"]) for row in session.client.rows(_SLOTS)]
    declared = [str(name) for name in session.options.get("standbys", ())]
    there = {str(row["name"]) for row in standbys}
    for name in declared:
        if name not in there:
            yield Finding(verdict=CRITICAL, name=name, message="this declared standby is not connected: what is written now is in one place only")
    if not standbys and not declared:
        if not slots:
            raise NotApplicable("no standby is declared (options: standbys), has a slot, or is connected")
        yield Finding(
            verdict=CRITICAL, message=f"no standby is connected, and there are slots for some ({', '.join(slots)}): what is written now is in one place only"
        )
    if str(settings(session)["synchronous_standby_names"]["setting"]) and not any(row["sync_state"] in ("sync", "quorum") for row in standbys):
        yield Finding(verdict=CRITICAL, name="synchronous", message="commits wait for a synchronous standby (synchronous_standby_names), and none is connected")
    for row in standbys:
        lag = f", {duration(float(row['seconds']))} of time" if row["seconds"] and row["behind"] else ""
        said = f"{row['state']} ({row['sync_state']}), {amount(max(0.0, row['behind']))} behind in replay{lag}"
        yield Finding(observed=max(0.0, row["behind"]), name=str(row["name"]), message=said)


def _receiver(session: Session[Server]) -> Iterator[Finding]:
    only_standby(session)
    rows = session.client.rows(_RECEIVER)
    if not rows:
        source = "primary_conninfo is set" if settings(session).get("primary_conninfo", {}).get("setting") else "primary_conninfo is empty"
        yield Finding(verdict=CRITICAL, message=f"no WAL receiver runs ({source}): this standby gets nothing from its primary")
        return
    row = single(rows, "pg_stat_wal_receiver")
    if row["status"] is None:
        raise hidden("pg_stat_wal_receiver")
    if row["status"] != "streaming":
        yield Finding(verdict=DEGRADED, name="status", message=f"the WAL receiver is {row['status']} instead of streaming")
    silent = max(0.0, float(row["silent"] or 0.0))
    yield Finding(observed=round(silent, 1), message=f"{row['status']}, last heard of the primary {duration(silent)} ago, slot {row['slot'] or 'none'}")


def _replay(session: Session[Server]) -> Iterator[Finding]:
    only_standby(session)
    row = single(session.client.rows(_REPLAY), "the state of replay")
    delay = number(session, "recovery_min_apply_delay")
    meant = f"; recovery_min_apply_delay holds it {delay / 1000:g} s back on purpose" if delay > 0 else ""
    if row["paused"]:
        yield Finding(
            verdict=DEGRADED, name="paused", message="replay is paused: reads here grow old. If nobody means that any more: SELECT pg_wal_replay_resume()"
        )
    if row["behind"] is None:
        # Nothing was streamed since the start: the receiver's check says that. Replay itself may still be going on from the archive.
        yield Finding(verdict=OK, message=f"replayed up to {row['position']}; nothing has been streamed since the start{meant}")
        return
    behind = max(0.0, float(row["behind"]))
    # Without traffic the last transaction grows old, and nothing is late.
    old = f", the last transaction is {duration(float(row['seconds']))} old" if behind and row["seconds"] else ""
    yield Finding(observed=behind, message=f"{amount(behind)} received and not replayed yet{old}{meant}")


STANDBYS: Check[Server] = Check(
    id="postgresql.standbys",
    question="Are all standbys connected, and how many bytes of WAL have they not replayed?",
    system="postgresql",
    query=_STANDBYS,
    runbook=f"{RUNBOOK}#standbys",
    threshold=BYTES,
    grants=MONITOR,
    run=_standbys,
)
RECEIVER: Check[Server] = Check(
    id="postgresql.receiver",
    question="Does this standby receive from its primary?",
    system="postgresql",
    query=_RECEIVER,
    runbook=f"{RUNBOOK}#receiver",
    threshold=Threshold(degraded=60, critical=300, unit="s", source="PostgreSQL: wal_receiver_timeout is 60 s unless it is changed"),
    grants=MONITOR,
    run=_receiver,
)
REPLAY: Check[Server] = Check(
    id="postgresql.replay",
    question="Does this standby replay what it receives?",
    system="postgresql",
    query=_REPLAY,
    runbook=f"{RUNBOOK}#replay",
    threshold=BYTES,
    grants=MONITOR,
    run=_replay,
)
