# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers as code: this finding, on exactly this subject, is known and accepted for this reason, by this owner, until this day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..common.errors import InvalidInput
from ..reports.model import CHECK_VERDICTS, DEGRADED, OK, SKIPPED
from .catalogue import OURS, WAIVERS
from .results import CONTROL
from .thresholds import nearest

BAD = tuple(verdict for verdict in CHECK_VERDICTS if verdict != OK)
RUNBOOK = "health.md#waivers"

_FIELDS = ("check", "subject", "reason", "owner", "expires")
_PATTERN = re.compile(r"[*?\[\]]|\.\*")
_MIN_REASON = 10


@dataclass(frozen=True)
class Waiver:
    """``expires`` is its last day (UTC)."""

    check: str
    subject: str
    reason: str
    owner: str
    expires: date

    @property
    def name(self) -> str:
        """How messages name it."""
        return f"{self.check} on {self.subject}"


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def _mistakes(data: Any, number: int, known: Sequence[str]) -> list[str]:
    where = f"waiver {number}"
    if not isinstance(data, Mapping):
        return [f"{where} must be a mapping with {', '.join(_FIELDS)}"]
    if isinstance(data.get("check"), str) and isinstance(data.get("subject"), str):
        where = f"{where} ({data['check']} on {data['subject']})"
    wrong = [f"{where}: {key} is no field of a waiver{nearest(str(key), _FIELDS)}" for key in data if key not in _FIELDS]
    empty = [field for field in _FIELDS if not str(data.get(field) or "").strip()]
    wrong += [f"{where}: {field} is missing" for field in empty]
    if "check" not in empty and data["check"] in OURS:
        wrong.append(f"{where}: what the run says about itself cannot be waived")
    elif "check" not in empty and data["check"] not in known:
        wrong.append(f"{where}: {data['check']} is no check{nearest(str(data['check']), known)}")
    if "subject" not in empty and _PATTERN.search(str(data["subject"])):
        wrong.append(f"{where}: the subject must be exact, as the report writes it, and no pattern")
    if "reason" not in empty and len(str(data["reason"]).strip()) < _MIN_REASON:
        wrong.append(f"{where}: the reason must say why (at least {_MIN_REASON} characters)")
    if "expires" not in empty and _day(data["expires"]) is None:
        wrong.append(f"{where}: expires must be a day such as 2026-12-31, not {data['expires']}")
    return wrong


def mistakes(waivers: Sequence[Any], known: Iterable[str]) -> list[str]:
    """What is wrong with the declared waivers, all of it."""
    ids = list(known)
    wrong = [mistake for number, data in enumerate(waivers, 1) for mistake in _mistakes(data, number, ids)]
    seen: set[tuple[str, str]] = set()
    for number, data in enumerate(waivers, 1):
        key = (str(data.get("check")), str(data.get("subject"))) if isinstance(data, Mapping) else (str(number), "")
        if key in seen:
            wrong.append(f"waiver {number} ({key[0]} on {key[1]}) is there twice")
        seen.add(key)
    return wrong


def read(waivers: Sequence[Any], known: Iterable[str]) -> list[Waiver]:
    """The declared waivers. Raises InvalidInput naming every mistake at once."""
    wrong = mistakes(waivers, known)
    if wrong:
        raise InvalidInput("The waivers (health_waivers) are refused", wrong)
    made = []
    for data in waivers:
        check, subject, reason, owner = (str(data[name]).strip() for name in ("check", "subject", "reason", "owner"))
        made.append(Waiver(check, subject, reason, owner, date.fromisoformat(str(data["expires"]))))
    return made


def _expired(waiver: Waiver, today: date) -> dict[str, Any]:
    message = f"the waiver for {waiver.name} (owner {waiver.owner}) ended on {waiver.expires}. Mend what it covers, or decide anew and set another day"
    return {
        "id": WAIVERS,
        "subject": f"{CONTROL}/waivers/{waiver.check}@{waiver.subject}",
        "verdict": DEGRADED,
        "observed": (today - waiver.expires).days,
        "unit": "d",
        "threshold": None,
        "message": message,
        "evidence": waiver.reason,
        "runbook": RUNBOOK,
        "tenants": [],
        "query": "health_waivers in the inventory",
    }


def _waived(item: Mapping[str, Any], waiver: Waiver) -> dict[str, Any]:
    told = {"verdict": item["verdict"], "reason": waiver.reason, "owner": waiver.owner, "expires": waiver.expires.isoformat()}
    message = f"waived until {waiver.expires} by {waiver.owner} ({waiver.reason}); it is {item['verdict']}: {item['message']}"
    return {**item, "verdict": SKIPPED, "waiver": told, "message": message}


def apply(items: Sequence[Mapping[str, Any]], waivers: Sequence[Waiver], today: date) -> tuple[list[dict[str, Any]], list[str]]:
    """Items with waived findings set aside (verdict skipped, the real one in ``waiver``), and expired waivers added; notes on waivers that match nothing."""
    valid = {(waiver.check, waiver.subject): waiver for waiver in waivers if waiver.expires >= today}
    used: set[tuple[str, str]] = set()
    told: list[dict[str, Any]] = []
    well: set[tuple[str, str]] = set()
    for item in items:
        key = (str(item["id"]), str(item["subject"]))
        waiver = valid.get(key)
        if item["verdict"] == OK:
            well.add(key)
        if waiver is not None and item["verdict"] in BAD:
            used.add(key)
            told.append(_waived(item, waiver))
        else:
            told.append(dict(item))
    notes = []
    for key, waiver in valid.items():
        if key not in used:
            why = "it is well" if key in well else "there is no such finding"
            notes.append(
                f"the waiver for {waiver.name} (owner {waiver.owner}, until {waiver.expires}) matches nothing: {why}. Take it out if it has done its work"
            )
    return [*told, *(_expired(waiver, today) for waiver in waivers if waiver.expires < today)], notes
