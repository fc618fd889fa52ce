# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node answers, to whom, how fast, and with which clock."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ....reports.model import CRITICAL, DEGRADED, OK
from ... import clocks
from ...model import Check, Finding, NoData, Session, Threshold
from .node import MISCONFIGURED, SYSTEM, Node, grant, info

_PINGS = 5


def _up(session: Session[Node]) -> Iterator[Finding]:
    answer = session.client.ping()
    found = info(session)
    version, seconds = found["redis_version"], found.number("uptime_in_seconds")
    if answer == MISCONFIGURED:
        message = f"Redis {version} answers, and refuses all writes because it cannot save them (redis.rdb_save and redis.aof_write say what)"
        yield Finding(observed=seconds, unit="s", verdict=CRITICAL, message=message)
        return
    if answer != "PONG":
        raise NoData("PING was answered with something else than PONG")
    yield Finding(observed=seconds, unit="s", verdict=OK, message=f"Redis {version} answers, up for {seconds / 86400:.1f} d")


def _authentication(session: Session[Node]) -> Iterator[Finding]:
    node = session.client
    if node.stranger == "NOPERM":
        yield Finding(observed="NOPERM", verdict=DEGRADED, message="who gives no password is let in as user default, although without the right to PING")
    elif node.stranger != "NOAUTH":
        yield Finding(observed=node.stranger, verdict=CRITICAL, message="whoever reaches the port is let in without a password, as user default")
    else:
        yield Finding(observed="NOAUTH", verdict=OK, message="without a password: refused; with ours: let in")
    name = node.call("ACL", "WHOAMI")
    if name != node.username:
        yield Finding(observed=name, verdict=DEGRADED, name="user", message=f"logged in as {name}, not as {node.username}, whom the inventory names")


def _latency(session: Session[Node]) -> Iterator[Finding]:
    took = []
    for _number in range(_PINGS):
        began = time.perf_counter()
        session.client.ping()
        took.append((time.perf_counter() - began) * 1000)
    yield Finding(observed=round(min(took), 3), message=f"the fastest of {_PINGS} took {min(took):.2f} ms, the slowest {max(took):.2f} ms")


def _clock(session: Session[Node]) -> Iterator[Finding]:
    before = time.time()
    answer = session.client.call("TIME")
    after = time.time()
    if not isinstance(answer, list) or len(answer) != 2:
        raise NoData("TIME was not answered with seconds and microseconds")
    there = float(str(answer[0])) + float(str(answer[1])) / 1e6
    yield clocks.seen(session, "redis.clock", clocks.span(before, there, after))


UP = Check(
    id="redis.up",
    question="Does the node answer to our login, and take writes?",
    system=SYSTEM,
    query="redis-cli -e --user <user> --askpass PING; redis-cli -e --user <user> --askpass INFO server",
    runbook="runbooks/redis.md#up",
    grants=grant("ping", "info"),
    run=_up,
)

AUTHENTICATION = Check(
    id="redis.authentication",
    question="Is nobody let in without a password, and are we let in as who we say?",
    system=SYSTEM,
    query="redis-cli -e PING (must be refused with NOAUTH); redis-cli -e --user <user> --askpass ACL WHOAMI",
    runbook="runbooks/redis.md#authentication",
    grants=grant("acl|whoami"),
    run=_authentication,
)

LATENCY = Check(
    id="redis.latency",
    question="How long does the smallest request take?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass --latency-history -i 5",
    runbook="runbooks/redis.md#latency",
    threshold=Threshold(
        degraded=50,
        critical=200,
        unit="ms",
        source="Production Deployment and Operations Guide: what the enterprise tier promises at p95 for a database query (50 ms) and an API call (200 ms)",
    ),
    grants=grant("ping"),
    run=_latency,
)

CLOCK = Check(
    id="redis.clock",
    question="How far is the node's clock from ours?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass TIME; date +%s",
    runbook="runbooks/redis.md#clock",
    threshold=Threshold(
        degraded=1,
        critical=30,
        unit="s",
        source="usual practice: hosts with NTP agree within milliseconds; keys expire by this clock, after a failover by the other",
    ),
    grants=grant("time"),
    run=_clock,
)
