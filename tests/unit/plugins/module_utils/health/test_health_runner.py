# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running checks: whatever happens to a check or to the system, every check is told of, and unknown is never ok."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.health.arguments import HEALTH, run_from
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Check, Finding, NoData, NotApplicable, Session, Threshold
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Limits, Link, Selection, absent, run_checks

LAG = Threshold(degraded=30, critical=300, unit="s", source="a guide")


class System:
    """A system that notes what is asked of it, and can be made silent."""

    def __init__(self) -> None:
        self.connected = 0
        self.closed = 0
        self.asked = 0
        self.limited: list[float] = []
        self.silent = threading.Event()
        self.refuses: Exception | None = None

    def connect(self, _seconds: float) -> System:
        self.connected += 1
        if self.refuses:
            raise self.refuses
        return self

    def answers(self, _client: System, _seconds: float) -> None:
        self.asked += 1
        if self.silent.is_set():
            raise Unreachable("silence")

    def close(self, _client: System) -> None:
        self.closed += 1

    def limit(self, _client: System, seconds: float) -> None:
        self.limited.append(seconds)

    def link(self, **more: Any) -> Link[System]:
        return Link(**{"connect": self.connect, "answers": self.answers, "close": self.close, "limit": self.limit, **more})


def check(name: str, run: Callable[[Session[System]], Any], **more: Any) -> Check[System]:
    defaults: dict[str, Any] = {"question": f"How is {name}?", "query": f"SELECT {name}", "runbook": f"runbooks/{name}.md", "threshold": LAG}
    return Check(id=f"postgresql.{name}", system="postgresql", run=run, **{**defaults, **more})


def fine(_session: Session[System]) -> Iterator[Finding]:
    yield Finding(observed=1.5, message="small")


def raising(error: Exception) -> Callable[[Session[System]], Any]:
    def run(_session: Session[System]) -> Any:
        raise error

    return run


def perform(*checks: Check[System], system: System | None = None, link: Link[System] | None = None, **more: Any) -> Run:
    system = system or System()
    return run_checks(checks, link or system.link(), system="postgresql", region="us-east-1", **more)


def verdicts(run: Run) -> list[str]:
    return [one["verdict"] for one in run.items]


def outcomes(run: Run) -> list[str]:
    return [done.outcome for done in run.checks]


def test_findings_become_items_with_all_that_a_reader_needs() -> None:
    run = perform(check("lag", fine))
    assert run.items == [
        {
            "id": "postgresql.lag",
            "subject": "us-east-1/postgresql",
            "verdict": "ok",
            "observed": 1.5,
            "unit": "s",
            "threshold": {"degraded": 30, "critical": 300, "worse": "higher", "source": "a guide"},
            "message": "small",
            "evidence": None,
            "runbook": "runbooks/lag.md",
            "tenants": [],
            "query": "SELECT lag",
        }
    ]
    assert outcomes(run) == ["executed"]


def test_one_connection_serves_all_checks_and_is_closed() -> None:
    system = System()
    run = perform(*(check(f"c{number}", fine) for number in range(20)), system=system)
    assert (system.connected, system.closed, verdicts(run)) == (1, 1, ["ok"] * 20)
    assert len(system.limited) == 20


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoData("the vector is empty"), "the vector is empty"),
        (OpsError("the package psycopg is missing"), "the package psycopg is missing"),
        (AccessDenied("no right to read pg_stat_wal"), "a right is missing: no right to read pg_stat_wal This check needs: GRANT pg_monitor TO ops."),
        (KeyError("lag"), "the check itself failed, not what it looks at: KeyError: 'lag'"),
        (SystemExit("bye"), None),
    ],
)
def test_a_raising_check_is_unknown_with_the_reason_and_stops_no_other(error: BaseException, said: str | None) -> None:
    if said is None:
        with pytest.raises(SystemExit):
            perform(check("broken", raising(error)))  # type: ignore[arg-type]
        return
    run = perform(check("first", fine), check("broken", raising(error), grants=["GRANT pg_monitor TO ops"]), check("last", fine))  # type: ignore[arg-type]
    assert verdicts(run) == ["ok", "unknown", "ok"]
    assert run.items[1]["message"] == said
    assert outcomes(run) == ["executed", "could_not_run", "executed"]


@pytest.mark.parametrize("nothing", [lambda _session: [], lambda _session: iter(())])
def test_a_check_that_finds_nothing_has_measured_nothing(nothing: Callable[[Session[System]], Any]) -> None:
    run = perform(check("empty", nothing))
    assert verdicts(run) == ["unknown"]
    assert "nothing was measured" in run.items[0]["message"]
    assert outcomes(run) == ["could_not_run"]


@pytest.mark.parametrize("value", [None, "", "12", True, float("nan"), float("inf"), [], {}])
def test_what_is_no_number_cannot_be_judged(value: Any) -> None:
    run = perform(check("odd", lambda _session: [Finding(observed=value)]))
    assert verdicts(run) == ["unknown"]
    assert "nothing was measured that could be judged" in run.items[0]["message"]
    json.dumps(run.to_mapping(), allow_nan=False)


def test_a_measured_zero_is_ok() -> None:
    assert verdicts(perform(check("zero", lambda _session: [Finding(observed=0)]))) == ["ok"]


def test_values_of_drivers_become_json() -> None:
    found = [Finding(observed=Decimal("31.5")), Finding(verdict="degraded", observed={"at": datetime(2026, 1, 1, tzinfo=UTC), "set": {1}}, message="x")]
    run = perform(check("kinds", lambda _session: found))
    assert run.items[0]["observed"] == 31.5
    assert verdicts(run) == ["degraded", "degraded"]
    assert json.loads(json.dumps(run.to_mapping()))["items"][1]["observed"] == {"at": "2026-01-01T00:00:00+00:00", "set": [1]}


def test_a_verdict_that_does_not_exist_or_no_way_to_judge_is_unknown() -> None:
    run = perform(check("fantasy", lambda _session: [Finding(verdict="fine")]), check("unjudged", lambda _session: [Finding(observed=3)], threshold=None))
    assert verdicts(run) == ["unknown", "unknown"]
    assert all(one["message"] for one in run.items)


def test_bad_verdicts_never_stand_without_words() -> None:
    run = perform(check("lag", lambda _session: [Finding(observed=350), Finding(verdict="critical")]))
    assert run.items[0]["message"] == "How is lag? 350 s, critical from 300 s"
    assert run.items[1]["message"]


def test_what_was_found_before_an_error_is_kept() -> None:
    def half(_session: Session[System]) -> Iterator[Finding]:
        yield Finding(observed=400, name="slot a")
        raise OpsError("then it broke")

    run = perform(check("half", half))
    assert verdicts(run) == ["critical", "unknown"]
    assert outcomes(run) == ["executed"]


def test_a_system_that_does_not_let_us_in_makes_all_checks_unknown_with_one_reason() -> None:
    system = System()
    system.refuses = Unreachable("connection refused")
    run = perform(check("a", fine), check("b", fine), system=system)
    assert verdicts(run) == ["unknown", "unknown"]
    assert {one["message"] for one in run.items} == {"connection refused"}
    assert (system.connected, system.closed) == (1, 0)


def test_a_system_that_hangs_in_connecting_costs_its_time_out_once() -> None:
    gate = threading.Event()
    began = time.monotonic()
    run = perform(*(check(f"c{n}", fine) for n in range(10)), link=System().link(connect=lambda _s: gate.wait(20)), limits=Limits(connect=0.2))
    gate.set()
    assert verdicts(run) == ["unknown"] * 10
    assert time.monotonic() - began < 2


def test_a_paused_system_costs_its_time_out_once() -> None:
    gate = threading.Event()
    asked: list[str] = []

    def hangs(session: Session[System]) -> Iterator[Finding]:
        asked.append(session.place)
        gate.wait(20)
        yield Finding(observed=1)

    began = time.monotonic()
    run = perform(check("before", fine), *(check(f"c{n}", hangs, timeout=0.2) for n in range(10)))
    took = time.monotonic() - began
    gate.set()
    assert took < 2
    assert asked == ["us-east-1/postgresql"]
    assert verdicts(run) == ["ok"] + ["unknown"] * 10
    assert len({one["message"] for one in run.items[1:]}) == 1
    assert "postgresql.c0 got no answer within 0.2 s" in run.items[-1]["message"]


def test_findings_that_come_after_the_time_out_are_not_told_late() -> None:
    gate = threading.Event()
    late = threading.Event()

    def hangs(_session: Session[System]) -> Iterator[Finding]:
        gate.wait(20)
        yield Finding(observed=1)
        late.set()

    run = perform(check("slow", hangs, timeout=0.1))
    gate.set()
    assert late.wait(5)
    assert verdicts(run) == ["unknown"]


@pytest.mark.parametrize("error", [Unreachable("canceled: time-out"), TimeoutError("timed out"), ConnectionResetError("reset")])
def test_after_a_time_out_the_system_is_asked_whether_it_lives(error: Exception) -> None:
    for silent, expected in ((False, ["unknown", "ok"]), (True, ["unknown", "unknown"])):
        system = System()
        if silent:
            system.silent.set()
        run = perform(check("slow", raising(error)), check("next", fine), system=system)
        assert verdicts(run) == expected
        assert system.asked == 1
        assert str(error) in run.items[0]["message"]
        assert not silent or run.items[1]["message"] == run.items[0]["message"]


def test_an_answer_to_are_you_there_that_hangs_means_no() -> None:
    gate = threading.Event()
    link = System().link(answers=lambda _client, _seconds: gate.wait(20))
    run = perform(check("slow", raising(Unreachable("no answer"))), check("next", fine), link=link, limits=Limits(probe=0.1))
    gate.set()
    assert verdicts(run) == ["unknown", "unknown"]


def test_a_drivers_error_is_explained_by_the_link() -> None:
    def explain(error: Exception) -> Exception:
        return AccessDenied("user ops may not") if isinstance(error, LookupError) else error

    run = perform(check("right", raising(LookupError("42501")), grants=["GRANT x"]), link=System().link(explain=explain))
    assert run.items[0]["message"] == "a right is missing: user ops may not This check needs: GRANT x."


def test_the_budget_is_for_all_checks_together() -> None:
    ticks = iter(range(1000))
    run = perform(*(check(f"c{n}", fine) for n in range(6)), limits=Limits(budget=6), clock=lambda: float(next(ticks)))
    assert verdicts(run) == ["ok", "ok", "ok", "unknown", "unknown", "unknown"]
    assert "health_budget" in run.items[-1]["message"]


def test_a_check_gets_no_more_time_than_is_left() -> None:
    system = System()
    perform(check("long", fine, timeout=60), system=system, limits=Limits(budget=2))
    assert 0 < system.limited[0] <= 2


def test_not_applicable_is_skipped_with_its_reason() -> None:
    run = perform(check("edition", raising(NotApplicable("Community has no cluster"))))
    assert (verdicts(run), run.items[0]["message"], outcomes(run)) == (["skipped"], "Community has no cluster", ["skipped"])


def test_what_writes_is_skipped_where_it_may_not() -> None:
    ran: list[str] = []

    def journey(_session: Session[System]) -> list[Finding]:
        ran.append("wrote")
        return [Finding(observed=1)]

    run = perform(check("journey", journey, writes=True), check("read", fine), selection=Selection(writes=False))
    assert ran == []
    assert {one["id"]: one["verdict"] for one in run.items} == {"postgresql.journey": "skipped", "postgresql.read": "ok"}
    assert verdicts(perform(check("journey", journey, writes=True))) == ["ok"]


def test_other_profiles_are_no_part_and_what_is_left_out_is_said() -> None:
    checks = [check("daily", fine, profiles=["daily"]), check("deep", fine, profiles=["diagnose"]), check("loud", fine)]
    run = perform(*checks, selection=Selection(without=["postgresql.loud"]))
    assert {one["id"]: one["verdict"] for one in run.items} == {"postgresql.daily": "ok", "postgresql.loud": "skipped"}
    assert [one["id"] for one in perform(*checks, selection=Selection(profile="diagnose", only=["postgresql.deep"])).items] == ["postgresql.deep"]


def test_a_selection_that_names_what_does_not_exist_says_the_nearest() -> None:
    known = ["postgresql.replication_lag", "redis.memory"]
    wrong = Selection(profile="weekly", only=["postgresql.replicaton_lag"], without=["redis.memory"]).mistakes(known)
    assert wrong == [
        "weekly is no profile; there are daily, post_deploy, diagnose",
        "postgresql.replicaton_lag is no check; did you mean postgresql.replication_lag?",
    ]
    assert Selection(only=known).mistakes(known) == []


def test_nothing_is_connected_to_when_nothing_is_to_be_run() -> None:
    system = System()
    perform(check("a", fine), system=system, selection=Selection(without=["postgresql.a"]))
    assert system.connected == 0


def test_declared_absent_is_skipped_with_the_reason() -> None:
    run = absent([check("a", fine), check("b", fine)], system="postgresql", region="eu", reason="declared absent in eu")
    assert verdicts(run) == ["skipped", "skipped"]
    assert {one["message"] for one in run.items} == {"declared absent in eu"}


def test_an_answer_is_asked_for_once_however_many_need_it_and_its_error_too() -> None:
    asked: list[str] = []

    def info(_client: System) -> dict[str, int]:
        asked.append("info")
        if len(asked) > 1:
            raise NoData("asked again")
        return {"used": 7}

    def broken(_client: System) -> int:
        asked.append("broken")
        raise NoData("empty")

    checks = [check(f"c{n}", lambda session: [Finding(observed=session.once("info", info)["used"])]) for n in range(3)]
    sick = [check(f"d{n}", lambda session: [Finding(observed=session.once("broken", broken))]) for n in range(3)]
    run = perform(*checks, *sick)
    assert asked == ["info", "broken"]
    assert verdicts(run) == ["ok"] * 3 + ["unknown"] * 3
    assert {one["message"] for one in run.items[3:]} == {"empty"}


def test_facts_come_back_and_a_run_survives_the_journey_as_json() -> None:
    def publishes(session: Session[System]) -> list[Finding]:
        session.facts["settings"] = {"wal_level": "logical"}
        return [Finding(observed=1)]

    run = perform(check("settings", publishes))
    again = Run.from_mapping(json.loads(json.dumps(run.to_mapping())))
    assert again.facts == {"settings": {"wal_level": "logical"}}
    assert (again.items, again.checks) == (run.items, run.checks)


def test_secrets_in_messages_errors_and_queries_are_blotted_out() -> None:
    leak = "postgresql://ops:hunter2-hunter2@db/x"
    run = perform(
        check("a", raising(ValueError(leak))), check("b", lambda _s: [Finding(verdict="degraded", message=leak, evidence=leak, query=leak, observed=leak)])
    )
    assert "hunter2" not in json.dumps(run.to_mapping())


def test_subjects_name_the_object_and_the_thresholds_variant_counts() -> None:
    variants = {"enterprise": Threshold(degraded=1, critical=2, source="guide")}
    found = [Finding(observed=5, name="a/b", variant="enterprise", tenants=["b", "a", "b"]), Finding(observed=5)]
    run = perform(check("latency", lambda _session: found, variants=variants))
    assert [(one["subject"], one["verdict"], one["tenants"]) for one in run.items] == [
        ("us-east-1/postgresql/a/b", "critical", ["a", "b"]),
        ("us-east-1/postgresql", "ok", []),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "redis.lag"},
        {"id": "postgresql.Lag"},
        {"id": "postgresql"},
        {"question": ""},
        {"runbook": ""},
        {"query": ""},
        {"profiles": ["weekly"]},
        {"profiles": []},
        {"cost": "free"},
        {"timeout": 0},
    ],
)
def test_a_check_that_is_not_complete_cannot_be_made(wrong: dict[str, Any]) -> None:
    whole = {"id": "postgresql.lag", "system": "postgresql", "question": "?", "query": "q", "runbook": "r", "run": fine}
    assert Check(**whole).id == "postgresql.lag"  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        Check(**{**whole, **wrong})  # type: ignore[arg-type]


def test_modules_read_their_parameters_in_one_way() -> None:
    params = {name: spec.get("default") for name, spec in HEALTH.items()} | {"region": "us-east-1", "thresholds": {"postgresql.lag": {"degraded": 1}}}
    assert verdicts(run_from(params, "postgresql", [check("lag", fine)], System().link())) == ["degraded"]
    assert verdicts(run_from({**params, "absent": "not here"}, "postgresql", [check("lag", fine)], System().link())) == ["skipped"]


def test_packages_are_imported_before_the_systems_time_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_driver_of_health.py").write_text("import time\ntime.sleep(0.8)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    limits = Limits(connect=0.2)

    def connect(_seconds: float) -> System:
        import slow_driver_of_health  # noqa: F401

        return System()

    assert verdicts(perform(check("lag", fine), link=System().link(connect=connect, loads=("slow_driver_of_health",)), limits=limits)) == ["ok"]
    sys.modules.pop("slow_driver_of_health")
    assert verdicts(perform(check("lag", fine), link=System().link(connect=connect), limits=Limits(connect=0.05))) == ["unknown"]


def test_a_package_that_is_missing_is_named() -> None:
    run = perform(check("lag", fine), link=System().link(loads=("no_such_driver",)))
    assert verdicts(run) == ["unknown"]
    assert "no_such_driver" in run.items[0]["message"]
