# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis looks at in Redis, beyond the checks of every day: whose commands take its one thread, and whose keys its memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..clients.redis import Reply, ReplyError
from ..health.model import DIAGNOSE, Check, Finding, NoData, NotApplicable, Session, Threshold
from ..health.systems.ranking import amount, duration, worst
from ..health.systems.redis.load import entries
from ..health.systems.redis.node import PRIMARY, SYSTEM, Node, grant, info
from ..reports.model import OK
from .shares import HALF, selected, shares

_LINE = re.compile(r"^cmdstat_(?P<name>[^:]+):calls=(?P<calls>\d+),usec=(?P<usec>\d+)", re.MULTILINE)
_TENANT = re.compile(r"^tenant:(?P<id>[a-z0-9-]+):")
MIN_SECONDS = 5.0
NOTICED = 36.0
SHOWN = 10
WINDOW = 3600.0
ENTRIES = 128
# SCAN goes through keys in the order of their hashes: where there are more than this many, those that were seen are a fair sample.
MOST_KEYS = 20_000
STEP = 500
JUDGED_BYTES = 64 * 2**20
THREAD = Threshold(degraded=360, unit="s/h", source="ours: a tenth of the hour of the one thread that runs all commands")


def commands(text: str) -> dict[str, tuple[float, float]]:
    """Command -> (calls, seconds) of INFO commandstats. Raises NoData if there are none."""
    found = {match["name"]: (float(match["calls"]), int(match["usec"]) / 1e6) for match in _LINE.finditer(text)}
    if not found:
        raise NoData("INFO commandstats told of no command, not even of itself")
    return found


def spending(now: Mapping[str, Any], before: Any) -> tuple[dict[str, tuple[float, float]], float, str]:
    """Command -> (calls, seconds) of an interval, its seconds, and its name: since the last run if the counters are the same, else since the start."""
    kept: Mapping[str, Sequence[float]] = now["commands"]
    if isinstance(before, Mapping) and before.get("run_id") == now["run_id"] and now["at"] - float(before["at"]) >= MIN_SECONDS:
        old: Mapping[str, Sequence[float]] = before["commands"]
        up = {name: (calls - old.get(name, (0, 0))[0], took - old.get(name, (0, 0))[1]) for name, (calls, took) in kept.items()}
        if all(calls >= 0 and took >= -0.001 for calls, took in up.values()):
            seconds = now["at"] - float(before["at"])
            return up, seconds, f"since the last run {duration(seconds)} ago"
    seconds = max(now["uptime"], MIN_SECONDS)
    return {name: (calls, took) for name, (calls, took) in kept.items()}, seconds, f"since its start {duration(seconds)} ago"


def _commands(session: Session[Node]) -> Iterator[Finding]:
    told = info(session)
    counted = commands(str(session.client.call("INFO", "commandstats") or ""))
    now = {
        "at": told.now,
        "run_id": told["run_id"],
        "uptime": told.number("uptime_in_seconds"),
        "commands": {name: list(both) for name, both in counted.items()},
    }
    session.facts["counters"] = {**session.facts.get("counters", {}), "commandstats": now}
    earlier = session.options.get("counters_before")
    up, seconds, since = spending(now, earlier.get("commandstats") if isinstance(earlier, Mapping) else None)
    found = []
    for name, (calls, took) in up.items():
        per_hour = took / seconds * 3600
        each = f"{calls:.0f} calls, {1e6 * took / calls:.3g} µs each" if calls else "no calls"
        found.append(Finding(observed=round(per_hour, 3), name=name.replace("|", " "), message=f"{name.upper()}: {per_hour:.3g} s an hour {since} ({each})"))
    yield from worst(found, NOTICED, "commands", SHOWN)


def _slow(session: Session[Node]) -> Iterator[Finding]:
    every = entries(session.client.call("SLOWLOG", "GET", ENTRIES))
    since = info(session).now - WINDOW
    recent = [one for one in every if one.at >= since]
    if not recent:
        yield Finding(observed=0, verdict=OK, message=f"the slow log holds nothing of the last {duration(WINDOW)}")
        return
    least = " at least, for the slow log is full" if len(recent) == len(every) == ENTRIES else ""
    names = {one.command for one in recent}
    for name in sorted(names):
        took = [one.took for one in recent if one.command == name]
        message = (
            f"{len(took)} slow {name} kept everybody waiting for {sum(took) / 1000:.3g} s in the last {duration(WINDOW)}{least}; the slowest {max(took):.0f} ms"
        )
        yield Finding(observed=round(sum(took) / 1000 * 3600 / WINDOW, 3), name=name, message=message)


def _scan(node: Node) -> tuple[dict[str, float], float, int, bool]:
    """Bytes by tenant, bytes of all keys that were seen, how many these are, and whether these are all."""
    taken: dict[str, float] = {}
    whole, seen, cursor = 0.0, 0, "0"
    while True:
        reply: Reply = node.call("SCAN", cursor, "COUNT", STEP)
        if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[1], list):
            raise NoData("SCAN was not answered with a cursor and keys")
        cursor, keys = str(reply[0]), [str(key) for key in reply[1]]
        sizes = node.calls([("MEMORY", "USAGE", key) for key in keys]) if keys else []
        for key, size in zip(keys, sizes, strict=True):
            if size is None or isinstance(size, (ReplyError, str, list)):
                continue  # expired in between
            match = _TENANT.match(key)
            whole += size
            if match:
                taken[match["id"]] = taken.get(match["id"], 0.0) + size
        seen += len(keys)
        if cursor == "0" or seen >= MOST_KEYS:
            return taken, whole, seen, cursor == "0"


def _tenants(session: Session[Node]) -> list[Finding]:
    if info(session).role != PRIMARY:
        raise NotApplicable("a replica has the keys of its primary, where they are looked at")
    taken, whole, seen, complete = _scan(session.client)
    how = f"in {seen} keys" if complete else f"in a sample of {seen} keys"
    return shares(taken, whole, tenant=selected(session), judged_from=JUDGED_BYTES, words=amount, what=how)


_ASK = "redis-cli --user <user> --askpass"
IN_DEPTH: tuple[Check[Node], ...] = (
    Check(
        id="redis.commands",
        question="Which commands take the time of its one thread?",
        system=SYSTEM,
        query=f"{_ASK} INFO commandstats",
        runbook="diagnose.md#commands",
        threshold=THREAD,
        profiles=(DIAGNOSE,),
        grants=grant("info"),
        run=_commands,
    ),
    Check(
        id="redis.slow_commands",
        question="How long did slow commands keep everybody waiting?",
        system=SYSTEM,
        query=f"{_ASK} SLOWLOG GET {ENTRIES}",
        runbook="diagnose.md#slow_commands",
        threshold=Threshold(degraded=10, unit="s/h", source="ours: ten seconds an hour in which nobody is answered are seen by users"),
        profiles=(DIAGNOSE,),
        grants=grant("slowlog|get", "info"),
        run=_slow,
    ),
    Check(
        id="redis.tenant_memory",
        question="Which share of the keys' memory do tenants take?",
        system=SYSTEM,
        query=f"{_ASK} --memkeys",
        runbook="diagnose.md#tenant_memory",
        threshold=HALF,
        profiles=(DIAGNOSE,),
        cost="medium",
        timeout=15.0,
        grants=("ACL SETUSER <user> ~* +scan +memory|usage",),
        run=_tenants,
    ),
)
