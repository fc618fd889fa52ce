# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's clock, which is in every row that says when it was written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import LiteralString

from ... import clocks
from ...model import Check, Finding, Session, Threshold
from ...reading import measured, single
from .server import RUNBOOK, Server

_CLOCK: LiteralString = "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"


def _clock(session: Session[Server]) -> Iterator[Finding]:
    before = time.time()
    row = single(session.client.rows(_CLOCK), "clock_timestamp()")
    after = time.time()
    yield clocks.seen(session, "postgresql.clock", clocks.span(before, measured(row["now"], "clock_timestamp()"), after))


CLOCK: Check[Server] = Check(
    id="postgresql.clock",
    question="How far is the server's clock from ours?",
    system="postgresql",
    query=_CLOCK,
    runbook=f"{RUNBOOK}#clock",
    threshold=Threshold(
        degraded=1,
        critical=30,
        unit="s",
        source="usual practice: hosts with NTP agree within milliseconds; at 30 s the lag of a standby is judged (alert ReplicationLag), by two clocks",
    ),
    run=_clock,
)
