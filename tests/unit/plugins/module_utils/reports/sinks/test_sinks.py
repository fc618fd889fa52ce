# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a report is sent to whom, and in which form: nothing that was not asked for, nothing that tricks a receiver, nothing too long."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.sinks import deliver, mistakes, rehearse
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.model import Insights, Item, Report
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.sinks import mail, pagerduty, slack
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.sinks.notice import SHOWN, notice

NOW = "2026-11-21T06:00:00Z"
GONE = {"id": "redis.memory", "subject": "us-east-1/redis", "verdict": "degraded", "since": NOW}
HOSTILE = "<!channel> *x* </a>\x1b[2J\nBcc: all@example.com\x00 postgresql://u:geheim@h/d"


def item(verdict: str, name: str = "one", **more: Any) -> Item:
    given = {"message": f"{name} is {verdict}", "runbook": "runbooks/redis.md#memory", "status": "new", "observed": 1.5, "unit": "s"}
    return Item("redis.memory", f"us-east-1/redis/{name}", verdict, **{**given, **more})


def report(*items: Item, **told: Any) -> Report:
    insights = Insights(profile="daily", executed=3, skipped=0, could_not_run=0, failed=False, decision="does not fail: nothing", **told)
    return Report("health", "sandbox", ["us-east-1"], "r1", False, NOW, NOW, False, items, insights=insights)


def key(name: str) -> str:
    return f"sandbox/redis.memory/us-east-1/redis/{name}"


@pytest.mark.parametrize(
    ("verdict", "at_least", "told"),
    [
        ("ok", "degraded", False),
        ("ok", "ok", True),
        ("degraded", "degraded", True),
        ("degraded", "unknown", False),
        ("unknown", "unknown", True),
        ("unknown", "critical", False),
        ("critical", "critical", True),
        ("skipped", "degraded", False),
    ],
)
def test_only_from_the_verdict_on_that_was_asked_for(verdict: str, at_least: str, told: bool) -> None:
    assert (notice(report(item(verdict)), at_least, False, "page") is not None) is told


def test_a_message_says_verdict_counts_the_worst_with_runbooks_and_what_is_resolved() -> None:
    found = notice(
        report(item("degraded", "b", status="open"), item("critical", "a", status="worse"), item("ok", "c"), resolved=[GONE]), "degraded", False, "p.html"
    )
    assert found is not None
    assert found.subject == "sandbox health: CRITICAL"
    assert list(found.body) == [
        "3 checks ran, 0 skipped, 0 could not run; 1 ok, 1 degraded, 1 critical",
        "This run does not fail: nothing.",
        "CRITICAL (worse) redis.memory us-east-1/redis/a: a is critical Runbook: runbooks/redis.md#memory",
        "DEGRADED redis.memory us-east-1/redis/b: b is degraded Runbook: runbooks/redis.md#memory",
        "Resolved (1): redis.memory us-east-1/redis",
        "Report: p.html",
    ]


def test_only_new_leaves_out_what_is_known_and_counts_it() -> None:
    old, new = item("critical", "old", status="open"), item("degraded", "new")
    assert notice(report(old), "degraded", True, "p") is None
    found = notice(report(old, new), "degraded", True, "p")
    assert found is not None
    assert [line for line in found.body if "/redis/" in line] == [
        "DEGRADED (new) redis.memory us-east-1/redis/new: new is degraded Runbook: runbooks/redis.md#memory"
    ]
    assert "Known before and still there: 1" in found.body
    assert notice(report(old, resolved=[GONE]), "critical", True, "p") is None
    assert notice(report(old, resolved=[GONE]), "degraded", True, "p") is not None


def test_many_findings_are_few_lines_and_equal_ones_are_one() -> None:
    found = notice(report(*(item("critical", f"n{number}") for number in range(30))), "degraded", False, "p")
    assert found is not None
    assert len(found.body) == SHOWN + 4
    assert found.body[-2] == f"… and {30 - SHOWN} more"
    silent = notice(report(*(item("unknown", f"n{number}", message="no answer") for number in range(30))), "degraded", False, "p")
    assert silent is not None
    assert len(silent.body) == 4


def test_what_systems_answer_tricks_nobody() -> None:
    found = notice(report(item("critical", HOSTILE, message=HOSTILE * 50, runbook=HOSTILE)), "degraded", False, HOSTILE)
    assert found is not None
    lines = [found.subject, *found.body]
    assert all(line.isprintable() and len(line) < 1200 for line in lines)
    assert "geheim" not in "".join(lines)
    text = slack.payload(found)["text"]
    assert "<" not in text
    assert "&lt;!channel&gt;" in text
    made = mail.message(found, {"sender": "Health <health@example.com>", "to": ["a@example.com", "b@example.com"]})
    assert made["To"] == "a@example.com, b@example.com"
    assert made["Bcc"] is None
    assert made.get_content_type() == "text/plain"
    with pytest.raises(ValueError, match="Header values"):
        mail.message(found, {"sender": "a@example.com\nBcc: all@example.com", "to": ["a@example.com"]})


def test_an_event_says_what_and_where() -> None:
    (event,) = pagerduty.events(report(item("unknown", tenants=["acme"], query="INFO", runbook="https://example.com/r")), "unknown", set())
    assert (event.action, event.key) == ("trigger", key("one"))
    payload = event.fields["payload"]
    assert {name: payload[name] for name in payload if name != "custom_details"} == {
        "summary": "sandbox: redis.memory us-east-1/redis/one: one is unknown",
        "source": "us-east-1/redis/one",
        "severity": "error",
        "timestamp": NOW,
        "component": "redis",
        "group": "sandbox",
        "class": "redis.memory",
    }
    details = {"message": "one is unknown", "observed": "1.5 s", "tenants": ["acme"], "runbook": "https://example.com/r", "query": "INFO", "run": "r1"}
    assert payload["custom_details"] == details
    assert event.fields["links"] == [{"href": "https://example.com/r", "text": "Runbook"}]


def test_events_of_hostile_findings_keep_the_limits_of_the_api() -> None:
    (event,) = pagerduty.events(report(item("critical", "n" * 400, message=HOSTILE * 100)), "critical", set())
    assert len(event.key) == 255
    assert event.key == pagerduty.key_of("sandbox", "redis.memory", f"us-east-1/redis/{'n' * 400}")
    assert event.key != pagerduty.key_of("sandbox", "redis.memory", f"us-east-1/redis/{'n' * 401}")
    assert len(event.fields["payload"]["summary"]) == 1024
    assert "geheim" not in str(event)


def test_new_first_then_resolved_then_what_is_open_anyway() -> None:
    opened = {key("old"), key("gone"), key("waived"), key("milder"), key("unseen"), "production/redis.memory/us-east-1/redis/x"}
    items = (item("critical", "old"), item("critical", "new"), item("skipped", "waived"), item("degraded", "milder"))
    unseen = [{**GONE, "subject": "us-east-1/redis/unseen", "verdict": "critical"}]
    lost = [{**GONE, "subject": "us-east-1/redis/lost", "verdict": "critical"}, {**GONE, "subject": "us-east-1/redis/never", "verdict": "degraded"}]
    found = pagerduty.events(report(*items, unseen=unseen, resolved=lost), "unknown", opened)
    resolved = [("resolve", key(name)) for name in ("gone", "lost", "milder", "waived")]
    assert [(event.action, event.key) for event in found] == [("trigger", key("new")), *resolved, ("trigger", key("old"))]


def test_nothing_is_configured_and_nothing_happens(tmp_path: Any) -> None:
    params = {"report_dir": str(tmp_path), "operation": "health", "slack": None, "mail": None, "pagerduty": None}
    assert mistakes(params) == []
    assert rehearse(params, report(item("critical")), "p") == []
    assert deliver(params, report(item("critical")), "p") == {}
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_of_ours_is_told_and_stops_nobody_else(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(slack, "payload", lambda _told: {}["geheim"])
    monkeypatch.setattr(mail, "send", lambda made, _options: sent.append(made["Subject"]))
    options = {
        "at_least": "ok",
        "only_new": False,
        "timeout": 5.0,
        "webhook_url": "https://hooks.example.com/geheim",
        "sender": "a@example.com",
        "to": ["b@example.com"],
    }
    params = {"report_dir": str(tmp_path), "operation": "health", "slack": options, "mail": options, "pagerduty": None}
    assert deliver(params, report(item("critical")), "p") == {"slack": "the report could not be sent to slack (health_slack): KeyError: '(redacted)'"}
    assert sent == ["sandbox health: CRITICAL"]


def test_a_mistake_never_shows_the_address() -> None:
    (wrong,) = mistakes({"slack": {"webhook_url": "http://hooks.example.com/services/T/B/geheim", "timeout": 1}})
    assert wrong == "health_slack: webhook_url must be an https:// address: what is sent there holds a secret"
