# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment permits, and what somebody must say before anything is destroyed there. Pure.

Source: Deployment Procedures, "Environment Management": development holds synthetic data and is reset nightly, staging holds anonymised
data, production holds real data and nothing happens there without approval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from ..common.errors import InvalidInput

#: From harmless to worth protecting: an environment takes no data beyond its own class.
DATA = ("synthetic", "anonymised", "real")
#: From weak to strong: the thing's name; that and the environment's name; both and somebody else's approval.
CONSENT = ("confirm", "environment", "approval")
KEYS = frozenset({"kind", "data", "reset_allowed", "reset_window", "destructive", "approval"})


@dataclass(frozen=True)
class Floor:
    """What an inventory may not loosen for its kind."""

    data: tuple[str, ...]
    consent: str
    reset: bool


FLOORS: Mapping[str, Floor] = {
    "sandbox": Floor(("synthetic",), "confirm", True),
    "development": Floor(("synthetic",), "confirm", True),
    "staging": Floor(("synthetic", "anonymised"), "environment", True),
    "production": Floor(("real",), "approval", False),
}


@dataclass(frozen=True)
class Policy:
    """A policy that has been checked against the floor of its kind. Times are UTC; ``reset_window`` may cross midnight."""

    environment: str
    kind: str
    data: str
    destructive: str
    reset_allowed: bool = False
    reset_window: tuple[time, time] | None = None
    approvers: tuple[str, ...] = ()
    longest: timedelta = timedelta(0)


@dataclass(frozen=True)
class Act:
    """Something that cannot be undone. ``what`` reads after "to" (``offboard tenant acme``), ``thing`` is the exact name of what is lost.

    ``everything``: all of the environment's data goes. ``brings``: class of the data that is put in its place, None if none is.
    """

    what: str
    thing: str
    everything: bool = False
    brings: str | None = None


@dataclass(frozen=True)
class Consent:
    """What the operator said. ``operators``: every name by which the person who runs this is known (given name, account)."""

    confirm: str | None = None
    confirm_environment: str | None = None
    approval: Mapping[str, Any] | None = None
    operators: tuple[str, ...] = ()


def read_policy(environment: str, data: Any) -> Policy:
    """Read ``leanvibe_ops_environment_policy``. Raises InvalidInput naming all that is malformed or looser than the kind allows."""
    title = f"leanvibe_ops_environment_policy of environment {environment}"
    if not isinstance(data, Mapping):
        raise InvalidInput(title, ["it is a mapping with kind, data, reset_allowed and destructive"])
    kind = str(data.get("kind"))
    if kind not in FLOORS:
        raise InvalidInput(title, [f"kind is {kind!r}, must be one of {', '.join(FLOORS)}"])
    floor = FLOORS[kind]
    problems = [f"unknown key {key}" for key in sorted(set(map(str, data)) - KEYS)]
    if data.get("data") not in floor.data:
        problems.append(f"data is {data.get('data')!r}, {kind} holds {' or '.join(floor.data)} data")
    destructive = str(data.get("destructive"))
    if destructive not in CONSENT:
        problems.append(f"destructive is {destructive!r}, must be one of {', '.join(CONSENT)}")
    elif CONSENT.index(destructive) < CONSENT.index(floor.consent):
        problems.append(f"destructive is {destructive}, {kind} needs at least {floor.consent}")
    reset = data.get("reset_allowed")
    if not isinstance(reset, bool):
        problems.append("reset_allowed must be true or false")
    elif reset and not floor.reset:
        problems.append(f"reset_allowed is true, {kind} is never reset")
    window = _window(data.get("reset_window"), problems)
    approvers, longest = _approval_rules(data.get("approval"), destructive == "approval", problems)
    if problems:
        raise InvalidInput(title, problems)
    return Policy(environment, kind, str(data["data"]), destructive, bool(reset), window, approvers, longest)


def kind_refusal(environment: str, kind: str, kinds: Sequence[str]) -> str | None:
    """Why a playbook that is made for ``kinds`` (empty: all) does not run in an environment of that kind, or None."""
    if not kinds or kind in kinds:
        return None
    return f"this playbook is for {' and '.join(kinds)} environments only and {environment} is {kind}; use another inventory"


def mark_refusal(environment: str, found: Mapping[str, str | None], *, must_exist: bool = False) -> str | None:
    """Why the platform is not the one that the inventory means, or None.

    ``found``: place of the platform's own mark ("registry database", "Namespace tenant-acme") -> environment written there, None if there
    is no mark. An unmarked platform is new: it passes, unless ``must_exist`` (what destroys data asks for that).
    """
    others = {place: mark for place, mark in found.items() if mark is not None and mark != environment}
    if others:
        told = ", ".join(f"{place}: {mark}" for place, mark in sorted(others.items()))
        return f"the inventory says environment {environment}, the platform says otherwise ({told}). Nothing was changed. Check the connection variables and -i"
    if must_exist and not any(found.values()):
        places = ", ".join(sorted(found)) or "nowhere to look"
        return f"the platform bears no mark of its environment ({places}); run the tenants playbook with the inventory of {environment} first"
    return None


def refusals(policy: Policy, act: Act, consent: Consent, now: datetime) -> list[str]:
    """Everything that stands between the operator and the act, each with what to give; empty when it may go ahead.

    ``now`` is timezone-aware.
    """
    problems: list[str] = []
    if act.brings is not None and act.brings not in DATA:
        problems.append(f"the data that would come in is of unknown class {act.brings!r}; {policy.environment} takes only data known to be {_taken(policy)}")
    elif act.brings is not None and DATA.index(act.brings) > DATA.index(policy.data):
        problems.append(f"{policy.environment} holds {policy.data} data and takes none that is {act.brings}; anonymise it first")
    if act.everything and not policy.reset_allowed:
        problems.append(f"{policy.environment} is never reset as a whole (reset_allowed is false)")
    if consent.confirm != act.thing:
        problems.append(_to_type("confirm", consent.confirm, act.thing))
    untimely = act.everything and policy.reset_window is not None and not _inside(policy.reset_window, now)
    if (policy.destructive != "confirm" or untimely) and consent.confirm_environment != policy.environment:
        reason = " (outside of the reset window)" if untimely else ""
        problems.append(_to_type("confirm_environment", consent.confirm_environment, policy.environment) + reason)
    if policy.destructive == "approval":
        problems += _approval_problems(policy, act, consent, now)
    return problems


def _to_type(variable: str, given: str | None, wanted: str) -> str:
    said = "is missing" if given is None else f"is {given!r}"
    return f"{variable} {said}; to go ahead give -e {variable}={wanted}"


def _taken(policy: Policy) -> str:
    return " or ".join(DATA[: DATA.index(policy.data) + 1])


def _approval_problems(policy: Policy, act: Act, consent: Consent, now: datetime) -> list[str]:
    covers = f"{policy.environment}/{act.thing}"
    if not consent.approval:
        limit = f"{policy.longest.total_seconds() / 3600:g} h away"
        form = f"approval: {{by: {' or '.join(policy.approvers)}, reference: <change or incident>, for: {covers}, until: <time with zone, at most {limit}>}}"
        return [f"approval is missing; {policy.environment} needs another person's: to go ahead give -e @file with {form}"]
    approval = consent.approval
    problems = [f"approval has unknown key {key}" for key in sorted(set(map(str, approval)) - {"by", "reference", "for", "until"})]
    by = str(approval.get("by") or "").strip()
    if by not in policy.approvers:
        problems.append(f"approval by {by or 'nobody'} does not count; approvers of {policy.environment} are {', '.join(policy.approvers)}")
    if by and by.casefold() in {name.strip().casefold() for name in consent.operators}:
        problems.append(f"approval is by {by}, who runs this; it must come from somebody else")
    if not consent.operators:
        problems.append("who runs this is not known, so that nobody can be told apart from the approver; set leanvibe_ops_operator")
    if not str(approval.get("reference") or "").strip():
        problems.append("approval has no reference to the change or incident it belongs to")
    if approval.get("for") != covers:
        problems.append(f"approval is for {approval.get('for')!r}, this is {covers}")
    return problems + _expiry_problems(approval.get("until"), policy, now)


def _expiry_problems(until: Any, policy: Policy, now: datetime) -> list[str]:
    try:
        end = until if isinstance(until, datetime) else datetime.fromisoformat(str(until))
    except ValueError:
        return [f"approval's until is {until!r}, must be a time such as {(now + policy.longest).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"]
    if end.tzinfo is None:
        return [f"approval's until {end.isoformat()} has no time zone"]
    if end <= now:
        return [f"approval expired at {end.isoformat()}"]
    if end - now > policy.longest:
        return [f"approval until {end.isoformat()} is longer than the {policy.longest.total_seconds() / 3600:g} h that {policy.environment} allows"]
    return []


def _approval_rules(data: Any, needed: bool, problems: list[str]) -> tuple[tuple[str, ...], timedelta]:
    if data is None and not needed:
        return (), timedelta(0)
    if not isinstance(data, Mapping):
        problems.append("destructive is approval, so approval must give approvers and longest_hours")
        return (), timedelta(0)
    approvers = data.get("approvers")
    if not isinstance(approvers, Sequence) or isinstance(approvers, str) or not approvers:
        problems.append("approval.approvers must name at least one person")
        approvers = ()
    hours = data.get("longest_hours")
    if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 < hours <= 168:
        problems.append("approval.longest_hours must be a number of hours up to 168")
        hours = 0
    return tuple(str(name) for name in approvers), timedelta(hours=hours)


def _window(data: Any, problems: list[str]) -> tuple[time, time] | None:
    if data is None:
        return None
    try:
        return time.fromisoformat(data["start"]), time.fromisoformat(data["end"])
    except (TypeError, KeyError, ValueError):
        problems.append("reset_window must be {start: 'HH:MM', end: 'HH:MM'} in UTC")
        return None


def _inside(window: tuple[time, time], now: datetime) -> bool:
    start, end = window
    clock = now.astimezone(UTC).time()
    return start <= clock < end if start <= end else clock >= start or clock < end
