# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication slots: abandoned ones keep WAL until the disk is full, or until the server gives them up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ....reports.model import CRITICAL, DEGRADED
from ...model import Check, Finding, Session, Threshold
from ...reading import reviewed
from ..ranking import amount
from .server import MONITOR, RUNBOOK, Row, Server, number

GIBIBYTE = 2**30
NO_SLOTS = "no slots: nothing keeps WAL here"

_SLOTS: LiteralString = """
SELECT slot_name AS name, slot_type AS kind, active, wal_status AS status, restart_lsn IS NULL AS unused,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::float8 AS kept
FROM pg_replication_slots WHERE NOT temporary ORDER BY slot_name
"""


def _rows(session: Session[Server]) -> list[Row]:
    return session.once("slots", lambda server: server.rows(_SLOTS))


def _wrong(row: Row) -> Finding | None:
    name, kept = str(row["name"]), amount(max(0.0, row["kept"] or 0.0))
    if row["status"] == "lost":
        return Finding(
            verdict=CRITICAL, name=name, message="the WAL that it needs is gone (max_slot_wal_keep_size): whoever used it must be made anew; then drop the slot"
        )
    if row["status"] == "unreserved":
        return Finding(verdict=CRITICAL, name=name, message=f"it keeps {kept}, more than it may, and is lost at the next checkpoint unless its user catches up")
    if row["active"]:
        return None
    if row["unused"]:
        return Finding(verdict=DEGRADED, name=name, message="nobody has ever used this slot. Drop it, or bring up whom it was made for")
    return Finding(verdict=DEGRADED, name=name, message=f"nobody uses this {row['kind']} slot, and it keeps {kept} of WAL. Bring its user back, or drop it")


def _slots(session: Session[Server]) -> list[Finding]:
    rows = _rows(session)
    return reviewed((found for found in map(_wrong, rows) if found is not None), len(rows), "slots", none_is_fine=NO_SLOTS)


def _wal(session: Session[Server]) -> Iterator[Finding]:
    rows = [row for row in _rows(session) if row["kept"] is not None]
    if not rows:
        yield from reviewed((), 0, "slots", none_is_fine="no slot keeps WAL here")
        return
    limit = number(session, "max_slot_wal_keep_size", -1) * 2**20
    for row in rows:
        name, kept = str(row["name"]), max(0.0, float(row["kept"]))
        if limit > 0:
            said = f"it keeps {amount(kept)} of the {amount(limit)} that it may (max_slot_wal_keep_size)"
            yield Finding(observed=round(100 * kept / limit, 2), name=name, capacity=100, message=said)
        else:
            said = f"it keeps {amount(kept)}, and nothing bounds that (max_slot_wal_keep_size is -1): an abandoned slot fills the disk"
            yield Finding(observed=kept, name=name, variant="unbounded", message=said)


SLOTS: Check[Server] = Check(
    id="postgresql.slots",
    question="Is every replication slot used, and does it still have the WAL it needs?",
    system="postgresql",
    query=_SLOTS,
    runbook=f"{RUNBOOK}#slots",
    grants=MONITOR,
    run=_slots,
)
SLOT_WAL: Check[Server] = Check(
    id="postgresql.slot_wal",
    question="How much WAL do the slots keep of what they may?",
    system="postgresql",
    query=_SLOTS,
    runbook=f"{RUNBOOK}#slot_wal",
    threshold=Threshold(degraded=50, critical=80, unit="%", source="usual practice: time to act before the slot is given up at 100 %"),
    variants={
        "unbounded": Threshold(degraded=GIBIBYTE, critical=10 * GIBIBYTE, unit="B", source="usual practice where nothing bounds slots but the disk"),
    },
    grants=MONITOR,
    run=_wal,
)
