# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role, link, and how far replicas are behind, in bytes and seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....common.errors import InvalidInput
from ....reports.model import CRITICAL, DEGRADED, OK
from ...comparisons import finding
from ...model import Check, Comparison, Finding, NoData, NotApplicable, Session, Side, Threshold
from .node import PRIMARY, REPLICA, SYSTEM, Info, Node, grant, info

_MORE_LOOKS, _PAUSE = 3, 1.1


@dataclass(frozen=True)
class Replica:
    """A replica as its primary sees it: ``behind`` in bytes, ``silent`` in seconds since its last acknowledgement."""

    name: str
    online: bool
    behind: float
    silent: float


def replicas(found: Info) -> list[Replica]:
    """The replicas that INFO of a primary tells of. Raises NoData if they cannot be read."""
    written = found.number("master_repl_offset")
    result = []
    for number in range(int(found.number("connected_slaves"))):
        fields = dict(part.partition("=")[::2] for part in found[f"slave{number}"].split(","))
        try:
            result.append(
                Replica(f"{fields['ip']}:{fields['port']}", fields["state"] == "online", max(0.0, written - float(fields["offset"])), float(fields["lag"]))
            )
        except (KeyError, ValueError) as error:
            raise NoData(f"INFO's field slave{number} cannot be read") from error
    return result


def _online(session: Session[Node]) -> list[Replica]:
    found = info(session)
    if found.role != PRIMARY:
        raise NotApplicable("this node is a replica; its primary tells how far it is behind")
    online = [replica for replica in replicas(found) if replica.online]
    if not online:
        raise NotApplicable("no replica follows this node (redis.replicas says whether one should)")
    return online


def _names(online: Sequence[Replica]) -> dict[str, str]:
    """A single replica needs no name: its address changes with its Pod, and the finding would never be the same."""
    return {replica.name: "" if len(online) == 1 else replica.name for replica in online}


def _role(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    declared = session.options.get("role")
    if declared is None:
        raise NotApplicable(f"the inventory does not say which role this node has (health option role: {PRIMARY} or {REPLICA}); it is a {found.role}")
    if declared not in (PRIMARY, REPLICA):
        raise InvalidInput("Health options of redis", [f"role is {PRIMARY} or {REPLICA}, not {declared}"])
    if found.role == declared:
        yield Finding(observed=found.role, verdict=OK, message=f"{declared}, as declared")
    else:
        yield Finding(observed=found.role, verdict=CRITICAL, message=f"declared {declared}, and it is a {found.role}: writes go astray, or two nodes take them")
    if found.role == REPLICA and found["slave_read_only"] != "1":
        yield Finding(observed="writable", verdict=DEGRADED, name="read-only", message="this replica takes writes, which its primary will never see")


def _link(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    if found.role != REPLICA:
        raise NotApplicable("this node is a primary; it has no link of its own")
    if found["master_link_status"] == "up":
        silent = found.number("master_last_io_seconds_ago")
        yield Finding(observed=silent, message=f"the link to the primary is up; it last said something {silent:.0f} s ago")
        return
    if found.get("master_sync_in_progress") == "1":
        yield Finding(verdict=DEGRADED, message="the link is down while all data are copied from the primary")
        return
    down = found.number("master_link_down_since_seconds") if "master_link_down_since_seconds" in found else -1
    since = f" for {down:.0f} s" if down >= 0 else " since it started"
    yield Finding(
        observed=down if down >= 0 else None, verdict=CRITICAL, message=f"the link to the primary has been down{since}; what is written is only there"
    )


def _replicas(session: Session[Node]) -> Iterator[Finding]:
    found = info(session)
    if found.role != PRIMARY:
        raise NotApplicable("this node is a replica itself")
    declared = session.options.get("replicas")
    if declared is None:
        raise NotApplicable("the inventory does not say how many replicas follow this node (health option replicas)")
    known = replicas(found)
    online = sum(replica.online for replica in known)
    busy = f", {len(known) - online} more are being copied to" if len(known) > online else ""
    verdict = OK if online >= int(declared) else DEGRADED if online else CRITICAL
    yield Finding(observed=online, verdict=verdict, message=f"{online} of {declared} declared replicas follow{busy}")


def _lag_bytes(session: Session[Node]) -> Iterator[Finding]:
    online = _online(session)
    backlog = info(session).number("repl_backlog_size") or 1.0
    for _look in range(_MORE_LOOKS):
        if max(replica.behind for replica in online) < backlog / 4:
            break
        # A burst is behind for a moment, and replicas tell how far they are once a second; who is behind stays behind.
        time.sleep(_PAUSE)
        later = {replica.name: replica.behind for replica in replicas(session.client.info()) if replica.online}
        online = [Replica(one.name, True, min(one.behind, later.get(one.name, one.behind)), one.silent) for one in online]
    for replica in online:
        message = f"{replica.behind:.0f} bytes behind; the backlog holds {backlog:.0f}"
        yield Finding(observed=round(100 * replica.behind / backlog, 3), capacity=100, name=_names(online)[replica.name], message=message)


def _lag_seconds(session: Session[Node]) -> Iterator[Finding]:
    online = _online(session)
    for replica in online:
        yield Finding(observed=replica.silent, name=_names(online)[replica.name], message=f"last acknowledged {replica.silent:.0f} s ago")


def _source(sides: Sequence[Side]) -> Iterator[Finding]:
    facts: dict[str, dict[str, Any]] = {side.region: side.fact for side in sides}
    sources = [region for region, fact in facts.items() if fact["role"] == PRIMARY]
    followers = [side for side in sides if side.fact["role"] == REPLICA and side.fact["link"] == "up"]
    if len(sources) != 1 or not followers:
        raise NotApplicable(f"{len(sources)} primaries and {len(followers)} replicas with a link: nothing to compare (redis.role, redis.replication_link)")
    wanted = facts[sources[0]]["replication_id"]
    for side in followers:
        same = side.fact["replication_id"] == wanted
        message = f"follows the primary in {sources[0]}" if same else f"its link is up, but what it follows is not the primary in {sources[0]}"
        yield finding(side, observed="same" if same else "another", verdict=OK if same else CRITICAL, message=message)


ROLE = Check(
    id="redis.role",
    question="Has the node the role that it is declared to have?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO replication",
    runbook="runbooks/redis.md#role",
    grants=grant("info"),
    run=_role,
)

LINK = Check(
    id="redis.replication_link",
    question="Does the replica hear from its primary?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO replication",
    runbook="runbooks/redis.md#replication_link",
    threshold=Threshold(
        degraded=30,
        critical=60,
        unit="s",
        source="a primary says something at least every 10 s (repl-ping-replica-period), and is given up after 60 s (repl-timeout)",
    ),
    grants=grant("info"),
    run=_link,
)

REPLICAS = Check(
    id="redis.replicas",
    question="Do as many replicas follow as are declared?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO replication",
    runbook="runbooks/redis.md#replicas",
    grants=grant("info"),
    run=_replicas,
)

LAG_BYTES = Check(
    id="redis.replication_lag_bytes",
    question="How much of what the primary keeps for catching up is a replica behind?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO replication (master_repl_offset minus the replica's offset, against repl_backlog_size)",
    runbook="runbooks/redis.md#replication_lag_bytes",
    threshold=Threshold(degraded=50, critical=100, unit="%", source="Redis: who is further behind than repl-backlog-size has to be sent everything again"),
    grants=grant("info"),
    run=_lag_bytes,
)

LAG_SECONDS = Check(
    id="redis.replication_lag_seconds",
    question="How long ago has a replica acknowledged anything?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO replication (lag of each replica)",
    runbook="runbooks/redis.md#replication_lag_seconds",
    threshold=Threshold(
        degraded=5, critical=30, unit="s", source="Redis: replicas acknowledge every second, written to or not, and are given up after 60 s (repl-timeout)"
    ),
    grants=grant("info"),
    run=_lag_seconds,
)

SOURCE = Comparison(
    id="redis.replication_source",
    question="Does the replica follow the declared primary, and no other?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO replication on both nodes: master_replid must be the same",
    runbook="runbooks/redis.md#replication_source",
    fact="node",
    told_by="redis.role",
    compare=_source,
)
