# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients against their limit, clients that wait, and commands that made everybody wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....reports.model import OK
from ...model import Check, Finding, NoData, Session, Threshold
from .node import SYSTEM, Node, grant, info

_WINDOW = 3600.0
_ENTRIES = 128
# Commands of operators that wait for the disk: rare, and nothing that clients could do better. They are counted, and not judged.
_OPERATORS = ("ACL", "CONFIG")


@dataclass(frozen=True)
class Slow:
    """An entry of the slow log: when (seconds since 1970), how long (ms), and the command's name; arguments are tenants' data."""

    at: float
    took: float
    command: str


def _clients(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    connected, limit = found.number("connected_clients"), found.number("maxclients")
    yield Finding(observed=round(100 * connected / limit, 2), capacity=100, message=f"{connected:.0f} of {limit:.0f} clients")


def _blocked(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    waiting, limit = found.number("blocked_clients"), found.number("maxclients")
    yield Finding(
        observed=round(100 * waiting / limit, 2), capacity=100, message=f"{waiting:.0f} clients wait in a blocking command (waiting for work is none)"
    )


def entries(reply: object) -> list[Slow]:
    """Read the answer of SLOWLOG GET. Raises NoData if it is something else."""
    try:
        return [Slow(float(at), float(took) / 1000, str(command[0]).upper()) for _id, at, took, command, *_more in reply]  # type: ignore[attr-defined]
    except (TypeError, ValueError, IndexError) as error:
        raise NoData("SLOWLOG GET was not answered with entries") from error


def _slow(session: Session[Node]) -> Iterator[Finding]:
    window = float(session.options.get("slowlog_window", _WINDOW))
    since = info(session).now - window
    every = entries(session.client.call("SLOWLOG", "GET", _ENTRIES))
    recent = sorted((entry for entry in every if entry.at >= since), key=lambda entry: -entry.took)
    judged = [entry for entry in recent if entry.command not in _OPERATORS]
    others = len(recent) - len(judged)
    beside = f" (and {others} of operators: {', '.join(_OPERATORS)})" if others else ""
    if not judged:
        yield Finding(observed=0, verdict=OK, message=f"no command of a client in the slow log in the last {window:.0f} s{beside}")
        return
    more = " or more" if len(recent) == len(every) == _ENTRIES else ""
    shown = ", ".join(f"{entry.command} {entry.took:.0f} ms" for entry in judged[:5])
    message = f"{len(judged)}{more} slow commands in the last {window:.0f} s{beside}; the slowest: {shown}"
    yield Finding(observed=round(judged[0].took, 1), message=message)


CLIENTS = Check(
    id="redis.clients",
    question="How many of the clients that it takes are there?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO clients (connected_clients, maxclients)",
    runbook="runbooks/redis.md#clients",
    threshold=Threshold(degraded=80, critical=95, unit="%", source="usual practice: at 100 % new clients are turned away, operators among them"),
    grants=grant("info"),
    run=_clients,
)

BLOCKED = Check(
    id="redis.blocked_clients",
    question="How many of the clients that it takes only wait?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO clients (blocked_clients, maxclients)",
    runbook="runbooks/redis.md#blocked_clients",
    threshold=Threshold(degraded=50, unit="%", source="usual practice: workers may wait for work, but should not hold half of the connections"),
    grants=grant("info"),
    run=_blocked,
)

SLOWLOG = Check(
    id="redis.slowlog",
    question="How long did the slowest recent command keep everybody else waiting?",
    system=SYSTEM,
    query=f"redis-cli --user <user> --askpass SLOWLOG GET {_ENTRIES}",
    runbook="runbooks/redis.md#slowlog",
    threshold=Threshold(
        degraded=100,
        critical=1000,
        unit="ms",
        source="Production Deployment and Operations Guide, team tier: a database query at p95 (100 ms), an API call at p99 (1000 ms)",
    ),
    grants=grant("slowlog|get", "info"),
    run=_slow,
)
