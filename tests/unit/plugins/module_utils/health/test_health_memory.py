# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers, history, trends and exit status: nothing is set aside, forgotten or foretold by mistake."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.health import decision, history, trends, waivers
from ansible_collections.leanvibe.ops.plugins.module_utils.health.history import FileStore, Known, Past, assess, moment

TODAY = date(2026, 11, 21)
NOW = "2026-11-21T06:00:00Z"
BEFORE = "2026-11-20T06:00:00Z"
LATER = datetime(2026, 11, 22, tzinfo=UTC)
KNOWN = ["postgresql.replication_lag", "redis.memory"]
GOOD = {"check": "redis.memory", "subject": "us-east-1/redis", "reason": "grows until the migration", "owner": "alice", "expires": "2026-12-31"}


def bad(verdict: str = "critical", name: str = "redis.memory", subject: str = "us-east-1/redis", **more: Any) -> dict[str, Any]:
    return {"id": name, "subject": subject, "verdict": verdict, "message": "full", **more}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"check": "redis.memori"}, "redis.memori is no check; did you mean redis.memory?"),
        ({"check": "health.waivers"}, "cannot be waived"),
        ({"subject": "us-east-1/*"}, "must be exact"),
        ({"subject": "us-east-1/redis-[0-9]"}, "must be exact"),
        ({"subject": "us-.*"}, "must be exact"),
        ({"subject": ""}, "subject is missing"),
        ({"subject": None}, "subject is missing"),
        ({"reason": "later"}, "must say why"),
        ({"reason": None}, "reason is missing"),
        ({"owner": " "}, "owner is missing"),
        ({"expires": None}, "expires is missing"),
        ({"expires": "never"}, "must be a day"),
        ({"expires": "31.12.2026"}, "must be a day"),
        ({"expire": "2026-12-31"}, "expire is no field of a waiver; did you mean expires?"),
    ],
)
def test_an_invalid_waiver_refuses_the_run(change: dict[str, Any], said: str) -> None:
    assert waivers.read([GOOD], KNOWN)[0].owner == "alice"
    with pytest.raises(InvalidInput) as refused:
        waivers.read([{**GOOD, **change}], KNOWN)
    assert said in refused.value.message


def test_all_mistakes_of_all_waivers_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        waivers.read([{}, {**GOOD, "subject": "*"}, "redis.memory", GOOD, GOOD], KNOWN)
    assert len(refused.value.problems) == 5 + 1 + 1 + 1
    assert "waiver 5 (redis.memory on us-east-1/redis) is there twice" in refused.value.problems


def applied(items: list[dict[str, Any]], **change: Any) -> tuple[list[dict[str, Any]], list[str]]:
    return waivers.apply(items, waivers.read([{**GOOD, **change}], KNOWN), TODAY)


def test_a_waived_finding_is_still_shown_with_what_it_is_and_why() -> None:
    items, notes = applied([bad()])
    assert items[0]["verdict"] == "skipped"
    assert items[0]["waiver"] == {"verdict": "critical", "reason": "grows until the migration", "owner": "alice", "expires": "2026-12-31"}
    assert "it is critical: full" in items[0]["message"]
    assert notes == []


@pytest.mark.parametrize("other", [{"name": "postgresql.replication_lag"}, {"subject": "us-west-2/redis"}, {"subject": "us-east-1/redis/acme"}])
def test_a_waiver_covers_nothing_but_its_check_on_its_subject(other: dict[str, str]) -> None:
    items, notes = applied([bad(**other)])  # type: ignore[arg-type]
    assert items[0]["verdict"] == "critical"
    assert "matches nothing: there is no such finding" in notes[0]


@pytest.mark.parametrize(("expires", "expired"), [("2026-11-22", False), ("2026-11-21", False), ("2026-11-20", True)])
def test_a_waiver_holds_through_its_last_day_and_is_a_finding_after_it(expires: str, expired: bool) -> None:
    items, _notes = applied([bad()], expires=expires)
    assert [item["verdict"] for item in items] == (["critical", "degraded"] if expired else ["skipped"])
    assert not expired or "owner alice" in items[1]["message"]
    assert not expired or items[1]["id"] == "health.waivers"


def test_a_waiver_for_what_is_well_is_shown_and_turns_nothing_ok_into_something_else() -> None:
    items, notes = applied([bad("ok"), bad("skipped", subject="x")])
    assert [item["verdict"] for item in items] == ["ok", "skipped"]
    assert "matches nothing: it is well" in notes[0]


def past(*findings: Known, started: str = BEFORE, run: str = "r0", **more: Any) -> Past:
    return Past(more.pop("environment", "sandbox"), run, started, "ok", "daily", {one.key: one for one in findings}, more.pop("values", {}))


def known(
    verdict: str = "critical", since: str = "2026-11-18T06:00:00Z", seen: str = BEFORE, subject: str = "us-east-1/redis", name: str = "redis.memory"
) -> Known:
    return Known(name, subject, verdict, since, seen)


LOOKED = {("redis.memory", "us-east-1/redis")}


def test_without_a_past_everything_is_new() -> None:
    told = assess([bad()], LOOKED, None, NOW)
    assert (told.items[0]["status"], told.items[0]["since"]) == ("new", NOW)


def test_what_was_there_keeps_its_since() -> None:
    told = assess([bad()], LOOKED, past(known()), NOW)
    assert (told.items[0]["status"], told.items[0]["since"]) == ("open", "2026-11-18T06:00:00Z")
    assert told.findings[("redis.memory", "us-east-1/redis")].seen == NOW


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        ("degraded", "critical", "worse"),
        ("degraded", "unknown", "worse"),
        ("unknown", "critical", "worse"),
        ("critical", "degraded", "open"),
        ("unknown", "unknown", "open"),
    ],
)
def test_getting_worse_is_news(before: str, now: str, status: str) -> None:
    assert assess([bad(now)], LOOKED, past(known(before)), NOW).items[0]["status"] == status


def test_gone_is_resolved_only_where_it_was_looked_at() -> None:
    assert assess([], LOOKED, past(known()), NOW).resolved == [known()]
    blind = assess([], set(), past(known()), NOW)
    assert (blind.resolved, blind.unseen) == ([], [known()])
    assert blind.findings[known().key].since == "2026-11-18T06:00:00Z"
    again = assess([bad()], LOOKED, past(*blind.findings.values()), NOW)
    assert again.items[0]["since"] == "2026-11-18T06:00:00Z"


def test_a_finding_of_a_comparison_is_resolved_when_the_comparison_ran() -> None:
    one = known(name="redis.acl_parity", subject="us-west-2/redis/tenant-acme")
    assert assess([], {("redis.acl_parity", "control/redis")}, past(one), NOW).resolved == [one]


def test_what_nobody_looks_at_any_more_is_forgotten_at_last() -> None:
    told = assess([], set(), past(known(seen="2026-08-01T06:00:00Z")), NOW, forget_after_days=90)
    assert (told.unseen, told.findings) == ([], {})


def test_ok_and_skipped_have_no_since() -> None:
    told = assess([bad("ok"), bad("skipped", subject="x/y")], LOOKED, None, NOW)
    assert [item["since"] for item in told.items] == [None, None]
    assert told.findings == {}


def test_runs_are_kept_and_read_back(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "history")
    one = past(known(), values={("redis.memory", "us-east-1/redis"): 71.5})
    store.add(one)
    loaded = store.load("sandbox", LATER)
    assert (list(loaded.runs), loaded.problems) == ([one], [])
    assert [path.name for path in (tmp_path / "history/sandbox").iterdir()] == ["20261120T060000Z-r0.json"]


def test_another_environments_runs_are_not_ours(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.add(past(environment="production"))
    assert store.load("sandbox", LATER).newest is None


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"schema": "leanvibe.ops/health-history/v2"}',
        "\x00\x00",
        "[" * 100_000,
        json.dumps({"schema": history.SCHEMA, "environment": "sandbox", "run_id": "r", "started": NOW, "verdict": "ok", "profile": "daily"}),
        json.dumps({**json.loads(past().to_text()), "findings": [["a", "b", "fine", NOW, NOW]]}),
        json.dumps({**json.loads(past().to_text()), "findings": [["a", "b"]]}),
        json.dumps({**json.loads(past().to_text()), "findings": [["a", "b", "critical", "yesterday", NOW]]}),
        json.dumps({**json.loads(past().to_text()), "values": [["a", "b", "much"]]}),
        json.dumps({**json.loads(past().to_text()), "started": "yesterday"}),
        json.dumps({**json.loads(past().to_text()), "verdict": "great"}),
    ],
)
def test_a_damaged_run_is_told_and_the_readable_one_is_compared_with(damage: str, tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.add(past(known()))
    (tmp_path / "sandbox/20261120T180000Z-broken.json").write_text(damage, encoding="utf-8")
    loaded = store.load("sandbox", LATER)
    assert loaded.newest == past(known())
    assert len(loaded.problems) == 1
    assert "20261120T180000Z-broken.json" in loaded.problems[0]


def test_bytes_that_are_no_text_and_a_folder_in_a_files_place_are_told(tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox/20261120T180000Z-a.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "sandbox/20261120T190000Z-b.json").mkdir()
    (tmp_path / "sandbox/notes.txt").write_text("not ours", encoding="utf-8")
    assert len(FileStore(tmp_path).load("sandbox", LATER).problems) == 2


def test_a_run_of_the_future_is_told_and_not_compared_with(tmp_path: Path) -> None:
    FileStore(tmp_path).add(past(started="2027-01-01T00:00:00Z"))
    loaded = FileStore(tmp_path, clock=lambda: LATER).load("sandbox", LATER)
    assert loaded.newest is None
    assert "in the future" in loaded.problems[0]


def test_a_clock_that_is_ahead_does_not_let_go_of_what_is_there(tmp_path: Path) -> None:
    store = FileStore(tmp_path, clock=lambda: LATER)
    store.add(past())
    store.add(past(started="2027-10-01T00:00:00Z", run="ahead"))
    assert list(store.load("sandbox", LATER).runs) == [past()]


def test_a_run_that_began_after_ours_and_has_ended_is_neither_compared_with_nor_a_problem(tmp_path: Path) -> None:
    FileStore(tmp_path).add(past(started="2027-01-01T00:00:00Z"))
    loaded = FileStore(tmp_path, clock=lambda: moment("2027-01-01T00:00:05Z")).load("sandbox", LATER)
    assert (list(loaded.runs), loaded.problems) == ([], [])


def test_retention_by_count_and_by_days_takes_damaged_files_along_and_leaves_others(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    folder.mkdir()
    (folder / "20250101T000000Z-old.json").write_text("{", encoding="utf-8")
    (folder / "keep.json").write_text("mine", encoding="utf-8")
    store = FileStore(tmp_path, keep_runs=3, keep_days=30)
    store.add(past(environment="production"))
    for day in (1, 15, 16, 17, 18):
        store.add(past(started=f"2026-11-{day:02}T06:00:00Z", run=f"r{day}"))
    assert sorted(path.name for path in folder.iterdir()) == [
        "20261116T060000Z-r16.json",
        "20261117T060000Z-r17.json",
        "20261118T060000Z-r18.json",
        "keep.json",
    ]
    FileStore(tmp_path, keep_runs=9, keep_days=1).add(past(started="2026-11-19T05:00:00Z", run="r19"))
    assert sorted(path.name for path in folder.iterdir()) == ["20261118T060000Z-r18.json", "20261119T050000Z-r19.json", "keep.json"]
    assert store.load("production", LATER).newest == past(environment="production")


def test_a_history_of_nothing_is_refused_and_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="at least 1"):
        FileStore(tmp_path, keep_runs=0)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OpsError, match=r"cannot be kept in .*file"):
        FileStore(tmp_path / "file").add(past())


def test_a_half_written_run_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OpsError, match="No space left"):
        FileStore(tmp_path).add(past())
    assert list((tmp_path / "sandbox").iterdir()) == []


def test_series_have_gaps_where_nothing_was_measured() -> None:
    key = ("redis.memory", "us-east-1/redis")
    runs = [past(values={key: 1.0}), past(), past(values={key: 3.0})]
    assert history.series(runs, key) == [1.0, None, 3.0]
    assert [value for _time, value in history.points(runs, key)] == [1.0, 3.0]
    assert history.values_of([bad(observed=5), bad(observed=None, subject="a"), bad(observed="6", subject="b"), bad(observed=True, subject="c")]) == {key: 5.0}


DAY = 86400.0


def line(days: int, slope: float, noise: float = 0.0, start: float = 10.0) -> list[tuple[float, float]]:
    chance = random.Random(7)
    return [(day * DAY, start + slope * day + chance.uniform(-noise, noise)) for day in range(days)]


def test_steady_growth_is_foretold_exactly() -> None:
    told = trends.days_to_full(line(21, 2.0), 100.0)
    assert told.days == pytest.approx(25.0)
    assert (told.earliest, told.latest) == (pytest.approx(25.0), pytest.approx(25.0))
    assert told.points == 21


def test_noise_widens_the_interval_around_the_truth() -> None:
    told = trends.days_to_full(line(30, 1.0, 3.0), 80.0)
    assert told.earliest is not None
    assert told.days is not None
    assert told.latest is not None
    assert told.earliest < told.days < told.latest
    assert told.earliest < 41 < told.latest


def test_single_outliers_do_not_move_it() -> None:
    points = line(21, 2.0)
    points[5] = (points[5][0], 500.0)
    assert trends.days_to_full(points, 100.0).days == pytest.approx(25.0, abs=0.5)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "0 measurement(s)"),
        (line(7, 1.0), "7 measurement(s) over 6.0 d"),
        ([(minute * 60.0, float(minute)) for minute in range(60)], "over 0.0 d"),
        (line(20, 0.0), "not growing"),
        (line(20, -1.0, start=50.0), "not growing"),
        (line(20, 0.01), "not within 190 d"),
    ],
)
def test_no_day_is_named_where_none_can_be(points: list[tuple[float, float]], said: str) -> None:
    told = trends.days_to_full(points, 100.0)
    assert told.days is None
    assert said in told.reason


def test_what_is_full_is_full() -> None:
    assert trends.days_to_full([(0.0, 100.0)], 100.0).days == 0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(11)
    covered = 0
    for _round in range(200):
        lower, _middle, upper = trends.slopes([(float(x), 0.5 * x + chance.gauss(0, 3)) for x in range(25)])
        covered += lower <= 0.5 <= upper
    assert 180 <= covered <= 200
    with pytest.raises(ValueError, match="same time"):
        trends.slopes([(1.0, 2.0), (1.0, 3.0)])


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "failed"),
    [
        ([], ("critical", "unknown"), False),
        (["ok", "skipped"], ("critical", "unknown"), False),
        (["degraded"], ("critical", "unknown"), False),
        (["unknown"], ("critical", "unknown"), True),
        (["critical"], ("critical", "unknown"), True),
        (["degraded"], ("degraded",), True),
        (["critical"], ("degraded",), False),
        (["critical"], (), False),
    ],
)
def test_the_exit_status_follows_the_verdicts_that_are_to_fail(verdicts: list[str], fail_on: tuple[str, ...], failed: bool) -> None:
    assert decision.decide([bad(verdict) for verdict in verdicts], fail_on).failed is failed


@pytest.mark.parametrize(("status", "failed"), [("new", True), ("worse", True), ("open", False), (None, True)])
def test_only_news_fail_a_run_if_asked(status: str | None, failed: bool) -> None:
    items = [bad(**({"status": status} if status else {}))]
    assert decision.decide(items, only_new=True).failed is failed
    assert decision.decide(items).failed is True


def test_a_waived_finding_does_not_fail_a_run() -> None:
    items, _notes = applied([bad()])
    assert decision.decide(items, ("critical", "unknown", "degraded")).failed is False


def test_fail_on_names_only_what_a_finding_can_be() -> None:
    with pytest.raises(ValueError, match="fail_on may name"):
        decision.decide([], ("ok",))
