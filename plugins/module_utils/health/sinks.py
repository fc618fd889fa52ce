# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends what a report says to those who asked for it: Slack, e-mail, PagerDuty. A sink that fails is a problem that is told, and hinders nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..common.concurrency import each
from ..common.errors import OpsError
from ..common.redaction import redact_text
from ..reports.model import CHECK_VERDICTS, Report
from ..reports.sinks import mail, pagerduty, slack
from ..reports.sinks.notice import notice, short
from ..reports.writer import put
from .runner import boxed

_ALIKE: dict[str, Any] = {
    "at_least": {"type": "str", "default": "degraded", "choices": list(CHECK_VERDICTS)},
    "timeout": {"type": "float", "default": 10.0},
    "ca_file": {"type": "path"},
}
_NEWS = {"only_new": {"type": "bool", "default": False}}
_PAGES = {"at_least": {"type": "str", "default": "unknown", "choices": list(CHECK_VERDICTS[:-1])}}

# Parameters of the module health_report.
SINKS: dict[str, Any] = {
    "slack": {"type": "dict", "options": {**_ALIKE, **_NEWS, **slack.OPTIONS}, **slack.CONDITIONS},
    "mail": {"type": "dict", "options": {**_ALIKE, **_NEWS, **mail.OPTIONS}, **mail.CONDITIONS},
    "pagerduty": {"type": "dict", "options": {**_ALIKE, **_PAGES, **pagerduty.OPTIONS}},
}
_ADDRESSES = (("slack", "webhook_url"), ("slack", "api_url"), ("pagerduty", "api_url"))
_SECRETS = (("slack", "webhook_url"), ("slack", "token"), ("mail", "password"), ("pagerduty", "routing_key"))


@dataclass(frozen=True)
class Delivery:
    """One sink's part: ``says`` in words what is sent, ``send`` does it."""

    says: str
    send: Callable[[], None]


def mistakes(params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the sinks of an inventory, beyond what the module's arguments can say. Never shows an address: a webhook's is a secret."""
    wrong = []
    for sink, name in _ADDRESSES:
        address = (params.get(sink) or {}).get(name)
        if address and not address.startswith("https://"):
            wrong.append(f"health_{sink}: {name} must be an https:// address: what is sent there holds a secret")
    post = params.get("mail") or {}
    if post.get("password") and post["security"] == "none":
        wrong.append("health_mail: with security none the password would travel in clear; take starttls or tls, or leave username and password out")
    for sink in SINKS:
        if (params.get(sink) or {}).get("timeout", 1) <= 0:
            wrong.append(f"health_{sink}: timeout must be above 0 s")
    return wrong


class Opened:
    """Keys of PagerDuty's events that were triggered and not resolved yet, in a file beside the reports. Without it, what is resolved while PagerDuty
    does not answer would stay open there forever."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._path = Path(params["report_dir"]) / params["operation"] / "pagerduty.json"
        self.problem = ""
        self.keys = self._read()

    def _read(self) -> set[str]:
        try:
            return {str(key) for key in json.loads(self._path.read_text(encoding="utf-8"))["open"]}
        except FileNotFoundError:
            return set()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.problem = f"{self._path} cannot be read ({type(error).__name__}): what it knew as open in PagerDuty has to be resolved there by hand"
            return set()

    def keep(self, keys: set[str]) -> None:
        """Write it if something changed. Raises OpsError."""
        if keys != self.keys or self.problem:
            put(self._path, json.dumps({"open": sorted(keys)}, indent=1) + "\n", "report_dir")


def _message(sink: str, options: Mapping[str, Any], report: Report, page: str) -> Delivery | None:
    told = notice(report, options["at_least"], options["only_new"], page)
    if told is None:
        return None
    says = f"{told.subject!r}, {len(told.body)} lines"
    if sink == "slack":
        return Delivery(says, lambda: slack.send(slack.payload(told), options))
    return Delivery(f"{says}, to {', '.join(options['to'])}", lambda: mail.send(mail.message(told, options), options))


def _events(options: Mapping[str, Any], report: Report, opened: set[str]) -> Delivery | None:
    due = pagerduty.events(report, options["at_least"], opened)
    if not due:
        return None
    counts = {action: sum(event.action == action for event in due) for action in (pagerduty.TRIGGER, pagerduty.RESOLVE)}
    says = ", ".join(f"{count} event(s) to {action}" for action, count in counts.items() if count)
    return Delivery(says, lambda: pagerduty.send(due, options, opened))


def _delivery(sink: str, params: Mapping[str, Any], report: Report, page: str, opened: set[str]) -> Delivery | None:
    """What a sink is to hear; None if nothing."""
    return _events(params[sink], report, opened) if sink == "pagerduty" else _message(sink, params[sink], report, page)


def _secrets(params: Mapping[str, Any]) -> list[str]:
    """What the sinks are given that nobody may read, in every form in which an answer may hold it: of a webhook its path is the secret."""
    given = [str((params.get(sink) or {}).get(name) or "") for sink, name in _SECRETS]
    paths = [urlsplit(one).path for one in given if one.startswith("https://")]
    return [*given, *paths, *(path.rpartition("/")[2] for path in paths)]


def _why(error: Exception, sink: str, params: Mapping[str, Any]) -> str:
    """The reason in words; the runner's box gives none when time is up."""
    told = error.message if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
    if not str(error):
        told = f"no end within {params[sink]['timeout']:g} s"
    return short(redact_text(f"the report could not be sent to {sink} (health_{sink}): {told}", _secrets(params)), 400)


def rehearse(params: Mapping[str, Any], report: Report, page: str) -> list[str]:
    """What would be sent to whom, for a check run. Sends nothing."""
    opened = Opened(params).keys if params.get("pagerduty") else set()
    wanted = {sink: _delivery(sink, params, report, page, opened) for sink in SINKS if params.get(sink)}
    return [f"check run: nothing was sent to {sink}; a real run would send {delivery.says if delivery else 'nothing'}" for sink, delivery in wanted.items()]


def deliver(params: Mapping[str, Any], report: Report, page: str) -> dict[str, str]:
    """Send to all sinks that have something to hear, side by side, each within its time. Returns what went wrong, by sink; never raises for it."""
    opened = Opened(params) if params.get("pagerduty") else None
    now_open = set(opened.keys) if opened else set()

    def tell(sink: str) -> None:
        delivery = _delivery(sink, params, report, page, now_open)
        if delivery is not None:
            delivery.send()

    asked = [sink for sink in SINKS if params.get(sink)]
    outcomes = each(asked, lambda sink: boxed(lambda: tell(sink), params[sink]["timeout"]), limit=len(SINKS))
    problems = {outcome.item: _why(outcome.error, outcome.item, params) for outcome in outcomes if outcome.error is not None}
    if opened is not None:
        try:
            opened.keep(set(now_open))
        except OpsError as error:
            opened.problem = error.message
        if opened.problem:
            problems["pagerduty_open"] = opened.problem
    return problems
