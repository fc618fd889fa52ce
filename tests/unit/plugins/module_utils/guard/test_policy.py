# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment permits, and what somebody must say before anything is destroyed there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput
from ansible_collections.leanvibe.ops.plugins.module_utils.guard.policy import Act, Consent, Policy, kind_refusal, mark_refusal, read_policy, refusals

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PRODUCTION = {
    "kind": "production",
    "data": "real",
    "reset_allowed": False,
    "destructive": "approval",
    "approval": {"approvers": ["bob", "carol"], "longest_hours": 24},
}
STAGING = {"kind": "staging", "data": "anonymised", "reset_allowed": False, "destructive": "environment"}
DEVELOPMENT = {
    "kind": "development",
    "data": "synthetic",
    "reset_allowed": True,
    "destructive": "confirm",
    "reset_window": {"start": "22:00", "end": "05:00"},
}
OFFBOARD = Act("offboard tenant acme", "acme")
APPROVAL = {"by": "bob", "reference": "CHG-17", "for": "production/acme", "until": "2026-11-21T18:00:00Z"}
GRANTED = Consent("acme", "production", APPROVAL, ("jane", "ops"))


def policy(data: Mapping[str, Any]) -> Policy:
    return read_policy(str(data["kind"]), data)


def with_approval(**changes: Any) -> Consent:
    return Consent("acme", "production", {**APPROVAL, **changes}, ("jane", "ops"))


@pytest.mark.parametrize("data", [PRODUCTION, STAGING, DEVELOPMENT])
def test_policies_of_the_guides_are_accepted(data: Mapping[str, Any]) -> None:
    assert policy(data).kind == data["kind"]


@pytest.mark.parametrize(
    ("base", "change", "said"),
    [
        (PRODUCTION, {"destructive": "confirm"}, "production needs at least approval"),
        (PRODUCTION, {"destructive": "environment"}, "production needs at least approval"),
        (PRODUCTION, {"reset_allowed": True}, "production is never reset"),
        (PRODUCTION, {"data": "synthetic"}, "production holds real data"),
        (PRODUCTION, {"approval": None}, "approval must give approvers"),
        (PRODUCTION, {"approval": {"approvers": [], "longest_hours": 24}}, "at least one person"),
        (PRODUCTION, {"approval": {"approvers": "bob", "longest_hours": 24}}, "at least one person"),
        (PRODUCTION, {"approval": {"approvers": ["bob"], "longest_hours": 10000}}, "longest_hours"),
        (STAGING, {"data": "real"}, "staging holds synthetic or anonymised data"),
        (STAGING, {"destructive": "confirm"}, "staging needs at least environment"),
        (DEVELOPMENT, {"data": "real"}, "development holds synthetic data"),
        (DEVELOPMENT, {"reset_allowed": "yes"}, "must be true or false"),
        (DEVELOPMENT, {"reset_window": {"start": "late"}}, "reset_window must be"),
        (DEVELOPMENT, {"destuctive": "confirm"}, "unknown key destuctive"),
        (DEVELOPMENT, {"kind": "prod"}, "must be one of"),
    ],
)
def test_policy_looser_than_its_kind_is_refused(base: Mapping[str, Any], change: Mapping[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        policy({**base, **change})


def test_every_problem_of_a_policy_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        policy({**PRODUCTION, "data": "synthetic", "reset_allowed": True, "destructive": "confirm"})
    assert len(caught.value.problems) == 3


def test_what_all_agree_on_goes_ahead() -> None:
    assert refusals(policy(PRODUCTION), OFFBOARD, GRANTED, NOON) == []
    assert refusals(policy(STAGING), OFFBOARD, Consent("acme", "staging"), NOON) == []
    assert refusals(policy(DEVELOPMENT), OFFBOARD, Consent("acme"), NOON) == []


def test_consent_for_development_is_not_enough_elsewhere() -> None:
    same_command = Consent("acme", operators=("jane",))
    assert len(refusals(policy(DEVELOPMENT), OFFBOARD, same_command, NOON)) == 0
    assert len(refusals(policy(STAGING), OFFBOARD, same_command, NOON)) == 1
    assert len(refusals(policy(PRODUCTION), OFFBOARD, same_command, NOON)) == 2


@pytest.mark.parametrize("given", [None, "", "ACME", "acme ", "acme-2", "yes", "true"])
def test_confirm_is_the_exact_name(given: str | None) -> None:
    problems = refusals(policy(DEVELOPMENT), OFFBOARD, Consent(given), NOON)
    assert len(problems) == 1
    assert "-e confirm=acme" in problems[0]


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        (Consent("acme", "staging", APPROVAL, ("jane",)), "-e confirm_environment=production"),
        (Consent("acme", "production", None, ("jane",)), "approval is missing"),
        (Consent("acme", "production", {}, ("jane",)), "approval is missing"),
        (Consent("acme", "production", APPROVAL, ("jane", "bob")), "must come from somebody else"),
        (Consent("acme", "production", APPROVAL, ("BOB ",)), "must come from somebody else"),
        (Consent("acme", "production", APPROVAL, ()), "who runs this is not known"),
        (with_approval(by="mallory"), "approvers of production are bob, carol"),
        (with_approval(by=None), "nobody does not count"),
        (with_approval(reference=" "), "no reference"),
        (with_approval(**{"for": "production/other"}), "this is production/acme"),
        (with_approval(**{"for": "staging/acme"}), "this is production/acme"),
        (with_approval(until="2026-11-21T11:59:59Z"), "expired"),
        (with_approval(until="2026-11-21T12:00:00Z"), "expired"),
        (with_approval(until="2026-11-23T12:00:00Z"), "longer than the 24 h"),
        (with_approval(until="2026-11-21T18:00:00"), "no time zone"),
        (with_approval(until="tomorrow"), "must be a time such as 2026-11-22T12:00:00Z"),
        (with_approval(until=None), "must be a time"),
        (with_approval(level="all"), "unknown key level"),
    ],
)
def test_production_refuses_anything_less_than_a_valid_approval(consent: Consent, said: str) -> None:
    problems = refusals(policy(PRODUCTION), OFFBOARD, consent, NOON)
    assert len(problems) == 1
    assert said in problems[0]


def test_expiry_may_be_a_time_that_yaml_has_read() -> None:
    zone = timezone(timedelta(hours=-5))
    assert refusals(policy(PRODUCTION), OFFBOARD, with_approval(until=datetime(2026, 11, 21, 13, 0, tzinfo=zone)), NOON) == []
    assert "expired" in refusals(policy(PRODUCTION), OFFBOARD, with_approval(until=datetime(2026, 11, 21, 6, 0, tzinfo=zone)), NOON)[0]


@pytest.mark.parametrize(
    ("data", "brings", "refused"),
    [
        (DEVELOPMENT, "synthetic", False),
        (DEVELOPMENT, "anonymised", True),
        (DEVELOPMENT, "real", True),
        (STAGING, "synthetic", False),
        (STAGING, "anonymised", False),
        (STAGING, "real", True),
        (STAGING, "anonymized?", True),
        (STAGING, "", True),
        (PRODUCTION, "real", False),
        (PRODUCTION, "dump.sql", True),
    ],
)
def test_an_environment_takes_only_data_of_its_class(data: Mapping[str, Any], brings: str, refused: bool) -> None:
    kind = str(data["kind"])
    consent = Consent("b-1", kind, {**APPROVAL, "for": "production/b-1"}, ("jane",))
    problems = refusals(policy(data), Act("restore backup b-1", "b-1", brings=brings), consent, NOON)
    assert len(problems) == int(refused), problems


def test_only_what_may_be_reset_is_reset() -> None:
    everything = Act("reset the environment", "staging", everything=True)
    assert "never reset as a whole" in refusals(policy(STAGING), everything, Consent("staging", "staging"), NOON)[0]


@pytest.mark.parametrize(("hour", "inside"), [(21, False), (22, True), (0, True), (4, True), (5, False), (12, False)])
def test_reset_outside_of_the_window_asks_for_the_environment(hour: int, inside: bool) -> None:
    act = Act("reset the environment", "development", everything=True)
    now = NOON.replace(hour=hour)
    problems = refusals(policy(DEVELOPMENT), act, Consent("development"), now)
    assert [("outside of the reset window" in problem) for problem in problems] == ([] if inside else [True])
    assert refusals(policy(DEVELOPMENT), act, Consent("development", "development"), now) == []


def test_window_within_a_day_has_an_end() -> None:
    act = Act("reset the environment", "development", everything=True)
    daytime = policy({**DEVELOPMENT, "reset_window": {"start": "01:00", "end": "05:00"}})
    assert refusals(daytime, act, Consent("development"), NOON.replace(hour=3)) == []
    assert len(refusals(daytime, act, Consent("development"), NOON.replace(hour=5))) == 1


def test_playbooks_for_one_kind_refuse_the_others() -> None:
    assert kind_refusal("sandbox", "sandbox", ["sandbox"]) is None
    assert kind_refusal("production", "production", []) is None
    said = kind_refusal("eu", "production", ["sandbox"])
    assert said is not None
    assert "eu is production" in said


def test_platform_with_another_mark_is_refused() -> None:
    assert mark_refusal("development", {"registry database": "development"}) is None
    said = mark_refusal("development", {"registry database": "development", "Namespace tenant-acme": "production"})
    assert said is not None
    assert "Namespace tenant-acme: production" in said


def test_new_platform_passes_unless_something_is_to_be_destroyed() -> None:
    assert mark_refusal("production", {"registry database": None}) is None
    assert mark_refusal("production", {"registry database": None}, must_exist=True) is not None
    assert mark_refusal("production", {}, must_exist=True) is not None
    assert mark_refusal("production", {"registry database": "production"}, must_exist=True) is None
