# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alertmanager: whether it is up and works by its configuration, whether alerts arrive at it, who silences what, and whether its peers are together."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ....reports.model import CRITICAL, DEGRADED
from ... import clocks
from ...model import Finding, NoData, NotApplicable, Threshold
from ...reading import option
from ..answers import json_answer, unexpected
from . import server
from .alerts import watchdog_of
from .server import Run, Server, check, fine, listed, moment, own_figure

_ANYTHING = "whatever-7f3a90"  # what no silence means by name
_SOON = timedelta(hours=1)
_ALERTS, _SILENCES = "/api/v2/alerts", "/api/v2/silences"


def _status(session: Run) -> tuple[dict[str, Any], clocks.Span | None]:
    """What it says about itself, asked for once, and how far its clock is ahead of ours. Raises NoData if it is no Alertmanager."""

    def read(alertmanager: Server) -> tuple[dict[str, Any], clocks.Span | None]:
        before = time.time()
        answer = alertmanager.get("/api/v2/status")
        seconds = clocks.by_header(answer.headers.get("date"), before, time.time())
        found = json_answer(answer)
        if answer.status != 200 or not isinstance(found.get("cluster"), Mapping):
            raise unexpected(answer, "the status of an Alertmanager")
        return found, seconds

    return session.once("status", read)


def _up(session: Run) -> Iterator[Finding]:
    found = server.up(session, "")
    if found.verdict is None:
        _status(session)
    yield found


def _config(session: Run) -> Iterator[Finding]:
    if own_figure(session, "alertmanager_config_last_reload_successful") != 1:
        yield Finding(verdict=CRITICAL, message="the last reload of its configuration failed; it works by an older one, and alerts may go to the wrong people")
    else:
        yield fine("its configuration is the one that was written last")


def _cluster(session: Run) -> Iterator[Finding]:
    cluster = _status(session)[0]["cluster"]
    state, peers = str(cluster.get("status")), cluster.get("peers") or []
    wanted = option(session, "peers", int, 1)
    there = len(peers) if state != "disabled" else 1
    if state not in ("ready", "disabled"):
        yield Finding(verdict=DEGRADED, observed=there, unit="peers", message=f"it is not one with its peers yet ({state}): notifications may come twice")
    elif there < wanted:
        yield Finding(verdict=DEGRADED, observed=there, unit="peers", message=f"{there} of {wanted} are together ({state})")
    else:
        yield fine(f"{there} of {wanted} are together ({state})", there, unit="peers")


def _time(session: Run) -> datetime:
    """What time it is for Alertmanager. Raises NoData."""
    answer = server.ready(session)
    try:
        return parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError) as error:
        raise NoData(f"{answer.where} does not say what time it is (no Date header)") from error


def _clock(session: Run) -> Iterator[Finding]:
    seconds = _status(session)[1]
    if seconds is None:
        raise NoData(f"{session.client.web.base} does not say what time it is (no Date header)")
    yield clocks.seen(session, "monitoring.alertmanager_clock", seconds)


def _delivery(session: Run) -> Iterator[Finding]:
    """The alert that always fires has to arrive again and again: its age here is that of the last delivery."""
    name = watchdog_of(session)
    if not name:
        raise NotApplicable("not configured: the inventory says that there is no alert that always fires (health_options.watchdog)")
    arrived = [moment(one.get("updatedAt")) for one in listed(session, _ALERTS) if one.get("labels", {}).get("alertname") == name]
    known = [at for at in arrived if at is not None]
    if not known:
        yield Finding(verdict=CRITICAL, message=f"{name}, which must always arrive, is not there: alerts do not come from Prometheus")
        return
    age = max(0.0, (_time(session) - max(known)).total_seconds())
    yield Finding(observed=round(age, 1), message=f"{name} arrived {age:.0f} s ago")


def _silences_all(silence: Mapping[str, Any]) -> bool:
    """Whether no matcher leaves anything out: each takes a value that nobody has thought of."""

    def takes(matcher: Mapping[str, Any]) -> bool:
        try:
            same = bool(re.fullmatch(matcher["value"], _ANYTHING)) if matcher["isRegex"] else matcher["value"] == _ANYTHING
        except re.error:
            return False
        return same is bool(matcher.get("isEqual", True))

    return all(takes(matcher) for matcher in silence["matchers"])


def _words(silence: Mapping[str, Any]) -> str:
    signs = {(False, True): "=", (True, True): "=~", (False, False): "!=", (True, False): "!~"}
    matchers = ", ".join(f"{one['name']}{signs[bool(one['isRegex']), bool(one.get('isEqual', True))]}{one['value']}" for one in silence["matchers"])
    return f"{matchers} until {str(silence['endsAt'])[:16]} by {silence.get('createdBy') or 'nobody'} ({silence.get('comment') or 'no reason'})"


def _silences(session: Run) -> Iterator[Finding]:
    active = [one for one in listed(session, _SILENCES) if one.get("status", {}).get("state") == "active"]
    own = option(session, "silences_by", list, ["leanvibe.ops"])
    bad = 0
    for one in active:
        ends = moment(one.get("endsAt"))
        if _silences_all(one):
            yield Finding(verdict=CRITICAL, name=str(one["id"]), message=f"silences everything: {_words(one)}")
        elif one.get("createdBy") in own and ends is not None and ends - _time(session) < _SOON:
            minutes = (ends - _time(session)) / timedelta(minutes=1)
            yield Finding(verdict=DEGRADED, name=str(one["id"]), message=f"ours ends in {minutes:.0f} min; what it covers will alert again: {_words(one)}")
        else:
            continue
        bad += 1
    silenced = sum(bool(alert.get("status", {}).get("silencedBy")) for alert in listed(session, _ALERTS))
    shown = "; ".join(_words(one) for one in active[:5]) + (f" and {len(active) - 5} more" if len(active) > 5 else "")
    if not bad:
        yield fine(f"{len(active)} silence(s), which keep {silenced} alert(s) quiet{': ' if shown else ''}{shown}", len(active), unit="silences")


CHECKS = (
    server.certificate_check("alertmanager_certificate", "Alertmanager's", "ALERTMANAGER"),
    check("alertmanager", "Does Alertmanager answer, and is it ready?", _up, "curl -s ALERTMANAGER/-/ready", server.UP),
    check(
        "alertmanager_config",
        "Does Alertmanager work by the configuration that was written last?",
        _config,
        "curl -s ALERTMANAGER/metrics | grep alertmanager_config_last_reload_successful",
    ),
    check(
        "alertmanager_clock",
        "How far is Alertmanager's clock from ours?",
        _clock,
        "curl -si ALERTMANAGER/api/v2/status | grep -i '^date'; date -u",
        clocks.BY_HEADER,
    ),
    check("alertmanager_cluster", "Are all Alertmanagers together?", _cluster, "curl -s ALERTMANAGER/api/v2/status"),
    check(
        "delivery",
        "Do alerts arrive at Alertmanager?",
        _delivery,
        f"curl -s ALERTMANAGER{_ALERTS}",
        Threshold(degraded=150, critical=300, unit="s", source="Prometheus sends what fires again every minute; after 4 min without, Alertmanager drops it"),
    ),
    check("silences", "Who silences what, and for how long?", _silences, f"curl -s ALERTMANAGER{_SILENCES}"),
)
