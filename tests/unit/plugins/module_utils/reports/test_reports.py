# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports: worst first, never a success that is none, readable by people, valid for machines, whole or not there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.html import render
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.model import Item, Report, TenantRow
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.schema import report_schema
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.text import MAX_ROWS, summary
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.writer import now, write
from jsonschema import Draft202012Validator

CHECKOUT = Path(__file__).resolve().parents[5]
VALID = Draft202012Validator(report_schema())
PLACE = "us-east-1/redis"


def act(verdict: str, tenant: str = "acme", **more: Any) -> Item:
    return Item("tenants.redis", f"{PLACE}/{tenant}", verdict, more.pop("message", "because"), (tenant,), **more)


def look(verdict: str, **more: Any) -> Item:
    return Item(
        "postgresql.replication_lag", "us-east-1/postgresql", verdict, "lag", observed=0.2, unit="s", threshold={"degraded": 30, "critical": 300}, **more
    )


def report(*items: Item, acting: bool = True, **more: Any) -> Report:
    fields = {"operation": "tenants" if acting else "health", "environment": "sandbox", "regions": ["us-east-1"], "run_id": "r1", "check_mode": False}
    return Report(**{**fields, "started": "2026-11-21T06:00:00Z", "finished": "2026-11-21T06:00:04Z", "acting": acting, "items": items, **more})


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ((), "succeeded"),
        (("succeeded",), "succeeded"),
        (("skipped",), "succeeded"),
        (("succeeded", "skipped"), "succeeded"),
        (("succeeded", "failed"), "partial"),
        (("succeeded", "refused"), "partial"),
        (("failed",), "failed"),
        (("failed", "refused"), "failed"),
        (("refused",), "refused"),
        (("refused", "skipped"), "refused"),
        (("failed", "skipped"), "failed"),
    ],
)
def test_verdict_of_an_act(verdicts: tuple[str, ...], whole: str) -> None:
    assert report(*(act(verdict, f"t{number}") for number, verdict in enumerate(verdicts))).verdict == whole


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ((), "ok"),
        (("ok", "skipped"), "ok"),
        (("ok", "degraded"), "degraded"),
        (("degraded", "unknown"), "unknown"),
        (("unknown", "critical"), "critical"),
    ],
)
def test_verdict_of_a_look_is_the_worst(verdicts: tuple[str, ...], whole: str) -> None:
    assert report(*map(look, verdicts), acting=False).verdict == whole


def test_a_verdict_of_the_other_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        report(act("ok")).to_mapping()


EVERY_KIND = [
    report(
        act("succeeded", changed=True, changes=[{"object": "user", "action": "create", "fields": ["rights"]}]),
        act("failed", "globex"),
        act("refused", "hooli"),
        Item("tenants.dashboard", "control/monitoring", "skipped", "no monitoring"),
        tenants=[TenantRow("acme", "Acme", "team", "us-east-1", "active")],
        notes=["not enforced"],
    ),
    report(
        *(look(verdict, tenants=("acme",), since="2026-11-20T06:00:00Z", runbook="r.md") for verdict in ("ok", "degraded", "unknown", "critical", "skipped")),
        acting=False,
    ),
    report(),
    report(acting=False),
]


@pytest.mark.parametrize("one", EVERY_KIND)
def test_reports_are_valid_against_the_published_schema(one: Report) -> None:
    assert not list(VALID.iter_errors(json.loads(json.dumps(one.to_mapping()))))


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": "leanvibe.ops/report/v2"},
        {"verdict": "fine"},
        {"started": "yesterday"},
        {"counts": {}},
        {"items": [{"id": "x"}]},
        {"items": [{**look("ok").to_mapping(False)}]},
        {"items": [{**act("failed").to_mapping(True), "message": ""}]},
        {"items": [{**act("failed").to_mapping(True), "verdict": "ok"}]},
        {"items": [{**act("failed").to_mapping(True), "tenants": ["Not an id"]}]},
    ],
)
def test_the_schema_notices_damage(damage: dict[str, Any]) -> None:
    assert list(VALID.iter_errors({**report(act("failed")).to_mapping(), **damage}))


def test_the_schema_is_itself_valid_and_published_as_it_is() -> None:
    Draft202012Validator.check_schema(report_schema())
    published = json.loads((CHECKOUT / "docs/schemas/report-v1.json").read_text(encoding="utf-8"))
    assert published == report_schema()


def test_the_contracts_example_of_a_look_is_valid() -> None:
    item = look("ok").to_mapping(False)
    assert list(item) == ["id", "subject", "verdict", "observed", "unit", "threshold", "message", "evidence", "runbook", "tenants", "since"]
    assert report(look("ok"), acting=False).counts == {"ok": 1, "degraded": 0, "unknown": 0, "critical": 0, "skipped": 0}


def test_secrets_do_not_get_into_any_form_of_a_report() -> None:
    item = act("failed", message="cannot use postgresql://tenant_acme:hunter2-hunter2@db/x")
    one = report(replace(item, changes=[{"object": "role", "action": "update", "password": "hunter2-hunter2"}]), notes=["redis://u:hunter2-hunter2@r"])
    for text in (json.dumps(one.to_mapping()), render(one), summary(one)):
        assert "hunter2" not in text


def test_the_summary_says_verdict_counts_problems_and_way_out_in_this_order() -> None:
    one = report(act("succeeded", changed=True), *(act("failed", name, message="no answer; start Redis") for name in ("globex", "hooli")), notes=["a note"])
    text = summary(one, "reports/x.html")
    positions = [
        text.index(part) for part in ("tenants: PARTIAL", "1 succeeded, 2 failed; 1 changed", "acme", "Problems:", "start Redis", "Notes:", "reports/x.html")
    ]
    assert positions == sorted(positions)
    assert "(2 tenants: globex, hooli)" in text
    assert text.count("start Redis") == 1


def test_the_summary_of_many_tenants_stays_short_and_keeps_what_matters() -> None:
    many = report(*(act("failed" if number == 150 else "succeeded", f"t{number:03}", message="why" if number == 150 else "") for number in range(200)))
    text = summary(many)
    assert "t150" in text
    assert "t001" not in text
    assert "199 more of 200 tenants" in text
    assert len(text.splitlines()) < MAX_ROWS


def test_the_summary_does_not_let_messages_control_the_terminal() -> None:
    text = summary(report(act("failed", message="bad \x1b[2J\x07 \u202e news")))
    assert all(char.isprintable() or char == "\n" for char in text)


def test_check_mode_is_said_everywhere() -> None:
    one = report(act("succeeded", changed=True), check_mode=True)
    assert "check mode: nothing was changed" in summary(one)
    assert "1 would change" in summary(one)
    assert "check mode" in render(one)


class Page(HTMLParser):
    """Counts what a page holds, and notes anything that is loaded from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("one", EVERY_KIND)
def test_the_page_is_whole_and_loads_nothing(one: Report) -> None:
    page = Page(render(one))
    assert page.open == []
    assert page.loaded == []
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import", render(one))


def test_the_page_adapts_to_dark_paper_and_phone() -> None:
    text = render(report())
    for part in ("prefers-color-scheme: dark", "@media print", 'name="viewport"', "overflow-x: auto"):
        assert part in text


def test_markup_in_messages_and_names_is_text() -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=y>"
    text = render(report(act("failed", message=hostile), tenants=[TenantRow("acme", hostile)], notes=[hostile], environment=hostile))
    assert "<script" not in text
    assert "<img" not in text


def test_a_report_is_written_with_its_latest_beside_it(tmp_path: Path) -> None:
    path = write(report(act("succeeded")), tmp_path)
    assert path == tmp_path / "tenants" / "20261121T060000Z-r1.json"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["20261121T060000Z-r1.html", "20261121T060000Z-r1.json", "latest.html", "latest.json"]
    assert (path.parent / "latest.json").read_bytes() == path.read_bytes()
    assert path.stat().st_mode & 0o007 == 0


def test_a_check_never_replaces_latest(tmp_path: Path) -> None:
    write(report(act("succeeded")), tmp_path)
    path = write(report(act("succeeded"), check_mode=True, run_id="r2"), tmp_path)
    assert path.name == "20261121T060000Z-r2-check.json"
    assert json.loads((path.parent / "latest.json").read_text(encoding="utf-8"))["run_id"] == "r1"


def test_a_run_id_cannot_leave_the_directory(tmp_path: Path) -> None:
    path = write(report(run_id="../../x"), tmp_path / "reports")
    assert path.parent == tmp_path / "reports" / "tenants"


def test_a_reader_never_sees_half_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(report(act("succeeded")), tmp_path)
    before = (path.parent / "latest.json").read_bytes()

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OpsError, match=r"No space left on device\. Set report_dir"):
        write(report(act("failed"), run_id="r2"), tmp_path)
    assert (path.parent / "latest.json").read_bytes() == before
    assert not [entry for entry in path.parent.iterdir() if entry.name.startswith(".")]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OpsError, match=re.escape(str(tmp_path / "file"))):
        write(report(), tmp_path / "file")


def test_times_are_utc_to_the_second() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now())
