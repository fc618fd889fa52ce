# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether damaged pages are noticed, and whether WAL reaches the archive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import LiteralString

from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, NotApplicable, Session, Threshold
from ...reading import single
from ..ranking import amount, duration
from .server import MONITOR, RUNBOOK, Row, Server, only_primary, settings

_SEGMENT = re.compile(r"[0-9A-F]{8}(?P<log>[0-9A-F]{8})(?P<segment>[0-9A-F]{8})(?:\.partial)?")
# A failure that lasts longer than this is no hiccup.
PATIENCE_SECONDS = 600

_CHECKSUMS: LiteralString = """
SELECT coalesce(datname, 'shared') AS name, checksum_failures AS failures, checksum_last_failure::text AS last
FROM pg_stat_database WHERE checksum_failures > 0 ORDER BY 1
"""
_ARCHIVER: LiteralString = """
SELECT last_archived_wal AS archived, last_failed_wal AS failed, failed_count AS failures,
       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing,
       extract(epoch FROM clock_timestamp() - coalesce(last_archived_time, stats_reset))::float8 AS age,
       (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 AS position
FROM pg_stat_archiver
"""
_WAITING: LiteralString = "SELECT count(*) FILTER (WHERE name ~ '\\.ready$') AS waiting FROM pg_ls_archive_statusdir()"


def _checksums(session: Session[Server]) -> Iterator[Finding]:
    if settings(session)["data_checksums"]["setting"] != "on":
        yield Finding(
            verdict=DEGRADED,
            name="off",
            message="data checksums are off: a damaged page is not noticed. Switch them on with pg_checksums while the server is down",
        )
        return
    rows = session.client.rows(_CHECKSUMS)
    for row in rows:
        message = (
            f"{row['failures']} pages of {row['name']} failed their checksum, the last at {row['last']}: data are damaged. Do not let backups of before expire"
        )
        yield Finding(verdict=CRITICAL, observed=row["failures"], name=str(row["name"]), message=message)
    if not rows:
        yield Finding(verdict=OK, observed=0, message="data checksums are on, and none has failed")


def unarchived(row: Row, segment_size: int) -> float | None:
    """Bytes of WAL after the last archived segment; None if no segment was archived yet or its name says no position (a timeline's history)."""
    match = _SEGMENT.fullmatch(str(row["archived"] or ""))
    if match is None:
        return None
    number = int(match["log"], 16) * (2**32 // segment_size) + int(match["segment"], 16)
    return float(row["position"]) - (number + 1) * segment_size


def _archiving(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    known = settings(session)
    if session.options.get("archiving") is False:
        raise NotApplicable("this server archives no WAL, by declaration (options: archiving)")
    if known["archive_mode"]["setting"] == "off":
        yield Finding(
            verdict=DEGRADED,
            message="archive_mode is off: the database can be restored to its last backup only. If that is meant, say so (options: archiving: false)",
        )
        return
    row = single(session.client.rows(_ARCHIVER), "pg_stat_archiver")
    size = int(known["wal_segment_size"]["setting"])
    age, left = float(row["age"] or 0.0), unarchived(row, size)
    if row["failing"]:
        verdict = CRITICAL if age > PATIENCE_SECONDS else DEGRADED
        message = f"archiving {row['failed']} failed, the last success ({row['archived'] or 'none'}) was {duration(age)} ago, {row['failures']} failures in all"
        yield Finding(verdict=verdict, name="failing", message=f"{message}. The reason is in the server's log")
    # A segment that is not full yet is not late, and without traffic none ever is.
    if left is not None and left < size:
        yield Finding(observed=0, message=f"all full segments are archived; the last, {row['archived']}, {duration(age)} ago")
    else:
        behind = f"{amount(left)} are not archived" if left is not None else f"what was archived last is {row['archived'] or 'nothing'}"
        yield Finding(observed=round(age, 1), message=f"{behind}, and the last success was {duration(age)} ago")


def _queue(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    if settings(session)["archive_mode"]["setting"] == "off":
        raise NotApplicable("archive_mode is off (see postgresql.archiving)")
    waiting = int(session.client.rows(_WAITING)[0]["waiting"])
    yield Finding(observed=waiting, message=f"{waiting} segments wait to be archived")


CHECKSUMS: Check[Server] = Check(
    id="postgresql.checksums",
    question="Are data checksums on, and has none failed?",
    system="postgresql",
    query=_CHECKSUMS,
    runbook=f"{RUNBOOK}#checksums",
    grants=MONITOR,
    run=_checksums,
)
ARCHIVING: Check[Server] = Check(
    id="postgresql.archiving",
    question="Does WAL reach the archive?",
    system="postgresql",
    query=_ARCHIVER,
    runbook=f"{RUNBOOK}#archiving",
    threshold=Threshold(degraded=300, critical=900, unit="s", source="Enterprise Operations Guide, recovery_objectives: enterprise RPO 5 minutes"),
    grants=MONITOR,
    run=_archiving,
)
QUEUE: Check[Server] = Check(
    id="postgresql.archive_queue",
    question="Do segments of WAL pile up before the archive?",
    system="postgresql",
    query=_WAITING,
    runbook=f"{RUNBOOK}#archive_queue",
    threshold=Threshold(degraded=16, critical=128, unit="segments", source="usual practice: 16 (256 MiB) are a burst, 128 (2 GiB) fill the disk"),
    grants=("GRANT EXECUTE ON FUNCTION pg_ls_archive_statusdir() TO <role> (pg_monitor has it)",),
    run=_queue,
)
