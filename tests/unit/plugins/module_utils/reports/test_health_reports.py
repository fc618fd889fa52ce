# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of a report of checks: each says the same, none can be broken or tricked by what systems answer."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.health_html import render_health, sparkline
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.health_text import health_summary, tone
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.junit import render_junit
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.matrix import some
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.model import Insights, Item, Report
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.prometheus import render_prometheus
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.schema import report_schema
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.sections import age, forecast, measured
from jsonschema import Draft202012Validator

VALID = Draft202012Validator(report_schema())
NOW = "2026-11-21T06:00:00Z"
BEFORE = "2026-11-18T06:00:00Z"
LIMITS = {"degraded": 30, "critical": 300, "worse": "higher", "source": "the guide"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=y>\"'\\\n{{ 7*7 }} \x1b[2J\x00"


def item(verdict: str, name: str = "postgresql.lag", subject: str = "us-east-1/postgresql", **more: Any) -> Item:
    defaults = {"message": f"it is {verdict}", "observed": 35.5, "unit": "s", "threshold": LIMITS, "runbook": "runbooks/lag.md", "query": "SELECT lag"}
    return Item(name, subject, verdict, **{**defaults, **more})


def report(*items: Item, told: dict[str, Any] | None = None, **more: Any) -> Report:
    counts = {"profile": "daily", "executed": len(items), "skipped": 1, "could_not_run": 2, "failed": True, "decision": "fails: 1 finding(s)"}
    insights = Insights(**{**counts, "compared_with": "2026-11-20T06:00:00Z", **(told or {})})
    fields = {"operation": "health", "environment": "sandbox", "regions": ["us-east-1"], "run_id": "r1", "check_mode": False, "started": NOW}
    return Report(**{**fields, "finished": "2026-11-21T06:00:04Z", "acting": False, "items": items, "insights": insights, **more})


NEW = item("critical", since=NOW, status="new", tenants=["acme", "globex"], evidence="pg_stat_replication")
OPEN = item("degraded", "postgresql.locks", since=BEFORE, status="open")
SILENT = [item("unknown", f"redis.c{n}", "us-west-2/redis", observed=None, message="no answer within 3 s", since=NOW, status="new") for n in range(20)]
WAIVED = item("skipped", "redis.aof", message="waived until 2026-12-01", waiver={"verdict": "critical", "reason": "r", "owner": "o", "expires": "2026-12-01"})
SKIPPED = [item("skipped", f"backups.c{n}", "control/backups", observed=None, message="not configured until there are backups") for n in range(3)]
FILLING = item(
    "ok", "postgresql.disk", trend=[1.0, None, 3.0], forecast={"days": 41.5, "earliest": 30.0, "latest": None, "points": 20, "estimator": "T", "reason": ""}
)
PAST = {"id": "redis.memory", "subject": "us-east-1/redis", "verdict": "critical", "since": BEFORE}
CHANGE = {"at": "2026-11-21T01:00:00Z", "what": "rollout", "where": "us-east-1/kubernetes", "who": "alice", "before": ["postgresql.lag us-east-1/postgresql"]}
RUNS = [{"started": BEFORE, "verdict": "ok"}, {"started": NOW, "verdict": "critical"}]
FULL = report(
    NEW,
    OPEN,
    *SILENT,
    WAIVED,
    *SKIPPED,
    FILLING,
    told={"resolved": [PAST], "unseen": [{**PAST, "id": "redis.acl"}], "changes": [CHANGE], "runs": RUNS, "questions": {"postgresql.lag": "How far behind?"}},
    notes=["a note"],
)
NASTY = report(
    item(
        "critical",
        HOSTILE,
        f"us-east-1/postgresql/{HOSTILE}",
        message=HOSTILE,
        evidence=HOSTILE,
        query=HOSTILE,
        observed=HOSTILE,
        unit=HOSTILE,
        runbook=HOSTILE,
    ),
    told={"changes": [{"at": NOW, "what": HOSTILE, "who": HOSTILE}], "questions": {HOSTILE: HOSTILE}, "decision": HOSTILE},
    environment=HOSTILE,
    notes=[HOSTILE],
)
ALL = [FULL, report(), report(item("ok"), check_mode=True, told={"compared_with": None}), NASTY]


def test_the_json_of_a_report_of_checks_is_valid_and_has_it_all() -> None:
    data = FULL.to_mapping()
    assert not list(VALID.iter_errors(json.loads(json.dumps(data))))
    assert data["health"]["checks"] == {"executed": 27, "skipped": 1, "could_not_run": 2}
    assert data["health"]["resolved"] == [PAST]
    assert data["items"][0]["query"] == "SELECT lag"
    assert "query" not in replace(NEW, query=None).to_mapping(False)


@pytest.mark.parametrize(
    "damage",
    [
        {"checks": {}},
        {"failed": "no"},
        {"compared_with": "yesterday"},
        {"resolved": [{**PAST, "verdict": "ok"}]},
        {"runs": [{"started": NOW, "verdict": "fine"}]},
    ],
)
def test_the_schema_notices_damage_to_what_is_told_of_the_checks(damage: dict[str, Any]) -> None:
    data = FULL.to_mapping()
    assert list(VALID.iter_errors({**data, "health": {**data["health"], **damage}}))


@pytest.mark.parametrize("damage", [{"status": "old"}, {"waiver": {"verdict": "ok"}}, {"trend": ["1"]}, {"forecast": {"days": "soon"}}, {"query": 1}])
def test_the_schema_notices_damage_to_items_of_checks(damage: dict[str, Any]) -> None:
    data = FULL.to_mapping()
    assert list(VALID.iter_errors({**data, "items": [{**data["items"][0], **damage}]}))


def test_the_text_says_verdict_counts_new_changes_open_resolved_in_this_order() -> None:
    text = health_summary(FULL, "reports/x.html")
    parts = ["health: CRITICAL", "27 checks ran, 1 skipped, 2 could not run", "this run fails", "tenants touched: 2: acme, globex", "New, since the run of"]
    parts += [
        "Changes of the last 24 h:",
        "Still open (1):",
        "Resolved:",
        "not looked at this time:",
        "Will be full:",
        "Waived:",
        "Skipped:",
        "Notes:",
        "x.html",
    ]
    positions = [text.index(part) for part in parts]
    assert positions == sorted(positions)


def test_a_finding_in_the_text_has_all_that_is_needed_to_act() -> None:
    text = health_summary(FULL)
    for part in (
        "CRITICAL  postgresql.lag  us-east-1/postgresql: it is critical",
        "observed 35.5 s (degraded from 30, critical from 300)",
        "evidence: pg_stat_replication",
        "runbook: runbooks/lag.md",
        "repeat:  SELECT lag",
        f"there for 3 d (since {BEFORE})",
        "2 tenant(s): acme, globex",
        "<- before: postgresql.lag us-east-1/postgresql",
        "full in 41.5 d (95 %: 30 to later than can be said d)",
        "3 x not configured until there are backups (backups.c0, backups.c1, backups.c2)",
    ):
        assert part in text


def test_what_a_dead_system_silenced_is_one_line() -> None:
    text = health_summary(FULL)
    assert text.count("no answer within 3 s") == 1
    assert "20 checks (redis.c0, redis.c1, redis.c2 and 17 more)  us-west-2/redis" in text


def test_nothing_new_is_said_and_many_findings_are_cut() -> None:
    assert "Nothing new, since the run of 2026-11-20T06:00:00Z." in health_summary(report(OPEN))
    assert "there is no earlier run to compare with" in health_summary(report(told={"compared_with": None}))
    many = health_summary(report(*(item("degraded", f"a.c{n}", message=f"m{n}") for n in range(60))))
    assert "… and 20 more; the report has them all" in many


def test_worse_is_said() -> None:
    assert "worse than before, there for 3 d" in health_summary(report(replace(OPEN, status="worse")))


def test_long_lists_of_names_are_shortened() -> None:
    names = tuple(f"t{n:02}" for n in range(57))
    assert some(names).endswith("t09 and 47 more")
    assert some(names[:10]) == ", ".join(names[:10])
    text = health_summary(report(replace(NEW, tenants=names)))
    assert "t09 and 47 more" in text
    assert "t11" not in text


@pytest.mark.parametrize("one", ALL)
def test_the_text_does_not_control_the_terminal_and_has_no_colours_of_its_own(one: Report) -> None:
    text = health_summary(one)
    assert all(char.isprintable() or char == "\n" for char in text)


def test_the_tone_of_a_line_is_its_verdicts() -> None:
    tones = {tone(line) for line in health_summary(FULL).splitlines()}
    assert tones == {"critical", "degraded", "unknown", None}
    assert tone(health_summary(report(item("ok"))).splitlines()[0]) == "ok"
    assert tone("      evidence: CRITICAL") is None


def test_ages_and_figures_are_written_for_people() -> None:
    assert [age(since, NOW) for since in (BEFORE, "2026-11-21T01:00:00Z", "2026-11-21T05:48:00Z", "2026-11-22T00:00:00Z")] == ["3 d", "5 h", "12 min", "0 min"]
    assert measured(item("ok", threshold={"degraded": 0.9, "worse": "lower"}, observed=0.123456789, unit=None)) == "observed 0.123457 (degraded below 0.9)"
    assert measured(item("unknown", observed=None)) == ""
    assert forecast(item("ok", forecast={"days": None})) == ""


class Page(HTMLParser):
    """The page as a browser takes it apart: open elements, what is loaded, scripts, and what may be hidden."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.verdicts: list[str] = []
        self.filters: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.loaded += [str(given[name]) for name in ("src", "href", "action") if name in given]
        self.handlers += [name for name in given if name.startswith("on")]
        if tag == "meta":
            self.policy = str(given.get("content")) if "http-equiv" in given else self.policy
            return
        self.open.append(tag)
        self.verdicts += [str(given["data-verdict"])] if "data-verdict" in given else []
        self.filters += [str(given["data-filter"])] if "data-filter" in given else []

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("one", ALL)
def test_the_page_is_whole_loads_nothing_and_has_its_own_script_only(one: Report) -> None:
    page = Page(render_health(one))
    assert (page.open, page.loaded, page.handlers) == ([], [], [])
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    digest = base64.b64encode(hashlib.sha256("".join(page.scripts).encode()).digest()).decode()
    assert page.policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not re.search(r"url\(|@import", render_health(one))


def test_markup_and_templates_from_systems_are_text() -> None:
    text = render_health(NASTY)
    assert "alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text
    assert "{{ 7*7 }}" in text
    assert "49" not in re.sub(r"(?s)<style>.*?</style>|sha256-\S+", "", text)


def test_every_finding_can_be_filtered_by_its_verdict() -> None:
    page = Page(render_health(FULL))
    assert page.filters == ["critical", "unknown", "degraded", "ok", "skipped"]
    assert set(page.verdicts) == set(page.filters)
    assert page.verdicts.count("unknown") == 1 + 20
    assert "data-filter" in "".join(page.scripts) or "dataset.filter" in "".join(page.scripts)


def test_the_page_says_what_the_text_says() -> None:
    text = render_health(FULL)
    for part in ("27</strong> checks ran", "How far behind?", "SELECT lag", "runbooks/lag.md", "the guide", "Resolved", "not looked at this time", "Waived"):
        assert part in text
    for part in ("Will be full", "full in 41.5 d", "rollout", "a note", "acme, globex", "last 2 runs", "not configured until there are backups"):
        assert part in text


def test_the_page_adapts_to_dark_paper_and_phone() -> None:
    text = render_health(FULL)
    for part in ("prefers-color-scheme: dark", "@media print", 'name="viewport"', "max-width: 40rem", "overflow-x: auto"):
        assert part in text


def test_without_insights_there_is_no_page_of_checks() -> None:
    for render in (render_health, health_summary):
        with pytest.raises(ValueError, match="no report of checks"):
            render(replace(FULL, insights=None))


def test_sparklines_have_gaps_and_say_what_they_show() -> None:
    drawn = sparkline([1.0, None, 3.0, 2.0], "s")
    assert drawn is not None
    assert drawn.segments == ("0.0,22.0", "80.0,0.0 120.0,11.0")
    assert drawn.label == "3 of the last 4 runs: 1 to 3 s, now 2"
    flat = sparkline([5.0, 5.0])
    assert flat is not None
    assert flat.segments == ("0.0,11.0 120.0,11.0",)


@pytest.mark.parametrize("values", [[], [1.0], [None, 1.0], [1.0, 2.0, None]])
def test_too_little_is_not_drawn(values: list[float | None]) -> None:
    assert sparkline(values) is None


_LINE = re.compile(r'(?P<name>[a-z_]+)\{(?P<labels>(?:[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*)\} (?P<value>-?\d+(?:\.\d+)?)')


def samples(text: str) -> dict[str, float]:
    """Parse the exposition format strictly; fails at any line that is none."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            match = _LINE.fullmatch(line)
            assert match, line
            assert f"{match['name']}{{{match['labels']}}}" not in found
            found[f"{match['name']}{{{match['labels']}}}"] = float(match["value"])
    return found


@pytest.mark.parametrize("one", ALL)
def test_the_prometheus_file_is_well_formed_whatever_labels_hold(one: Report) -> None:
    text = render_prometheus(one)
    assert text.endswith("\n")
    names = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert len(names) == len(set(names)) == 7
    assert samples(text)


def test_the_prometheus_file_tells_of_a_run_that_stopped_and_of_each_check() -> None:
    found = samples(render_prometheus(FULL))
    base = 'operation="health",environment="sandbox"'
    assert found[f"leanvibe_ops_run_timestamp_seconds{{{base}}}"] == 1795240804
    assert found[f"leanvibe_ops_run_verdict{{{base}}}"] == 3
    assert found[f'leanvibe_ops_checks{{{base},outcome="could_not_run"}}'] == 2
    assert found[f'leanvibe_ops_check_verdict{{{base},check="postgresql.lag",region="us-east-1",system="postgresql"}}'] == 3
    assert found[f'leanvibe_ops_check_verdict{{{base},check="redis.c7",region="us-west-2",system="redis"}}'] == 2
    assert found[f'leanvibe_ops_check_verdict{{{base},check="backups.c0",region="control",system="backups"}}'] == -1


def test_of_a_check_with_several_findings_at_a_place_the_worst_counts() -> None:
    some_items = (item("ok", subject="us-east-1/postgresql/a"), item("degraded", subject="us-east-1/postgresql/b"), item("skipped"))
    found = samples(render_prometheus(report(*some_items)))
    assert [value for name, value in found.items() if "check_verdict" in name] == [1]


# What Jenkins' junit-10.xsd allows of what we use: element -> attributes it may have, those it must have, its children.
_ALLOWED: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}, {"name", "tests", "failures", "errors"}, {"testcase"}),
    "testcase": ({"classname", "name", "time"}, {"classname", "name"}, {"failure", "error", "skipped"}),
    "failure": ({"message", "type"}, set(), set()),
    "error": ({"message", "type"}, set(), set()),
    "skipped": ({"message"}, set(), set()),
}


def parsed(text: str) -> Xml.Element:
    """The document."""
    return Xml.fromstring(text)  # noqa: S314 - our own, made a line above


@pytest.mark.parametrize("one", ALL)
def test_the_junit_file_is_valid_and_counts_right(one: Report) -> None:
    root = parsed(render_junit(one))
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, needed, children = _ALLOWED[element.tag]
        assert needed <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= children
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.attrib["tests"] == str(len(cases))
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert suite.attrib[count] == str(sum(case.find(tag) is not None for case in cases))
    assert sum(int(suite.attrib["tests"]) for suite in root) == int(root.attrib["tests"]) == len(one.items)


def test_the_junit_file_says_what_failed_and_how_to_repeat_it() -> None:
    root = parsed(render_junit(FULL))
    failure = root.find(".//testcase[@classname='postgresql.lag']/failure")
    assert failure is not None
    assert (failure.attrib["type"], failure.attrib["message"]) == ("critical", "it is critical")
    assert "repeat: SELECT lag" in str(failure.text)
    assert len(root.findall(".//error")) == 20


def test_an_items_object_is_the_cases_name() -> None:
    root = parsed(render_junit(report(item("ok", subject="us-east-1/kubernetes/tenant-acme/api"))))
    assert root[0][0].attrib["name"] == "tenant-acme/api"


def test_secrets_do_not_get_into_any_form() -> None:
    leak = "postgresql://ops:hunter2-hunter2@db/x"
    one = report(
        item("critical", message=leak, evidence=leak, query=leak, observed=leak),
        notes=[leak],
        told={"changes": [{"at": NOW, "what": leak}], "decision": "fails"},
    )
    for text in (json.dumps(one.to_mapping()), render_health(one), health_summary(one), render_junit(one), render_prometheus(one)):
        assert "hunter2" not in text
