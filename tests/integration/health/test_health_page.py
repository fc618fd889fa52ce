# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in a real browser: readable in light and dark, on a phone and on paper; it filters, and neither loads nor runs what is not its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.arguments import REPORT
from ansible_collections.leanvibe.ops.plugins.module_utils.health.conclude import conclude
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Check, Finding, NotApplicable, Threshold
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Link, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.sinks import SINKS
from browser import DESKTOP, PHONE, pictures, started
from playwright.sync_api import Browser, Page

DAYS = 12
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> `$(reboot)` \u202egnp.exe"
CHECKS = {"memory": 60.0, "evictions": 85.0, "clients": 99.0, "load": 5.0}
VERDICTS = ("ok", "degraded", "critical", "unknown", "skipped")
# Relative luminance and contrast as WCAG 2 defines them.
CONTRAST = """([ink, paper]) => {
  const light = text => text.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const [a, b] = [light(ink), light(paper)]; return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }"""


def _check(name: str, day: int) -> Check[Any]:
    def work(_session: Any) -> Iterator[Finding]:
        if name == "skip":
            raise NotApplicable("not configured: nobody wants it here, for a reason that is as long as reasons are")
        if name == "broken":
            raise ValueError(HOSTILE)
        yield Finding(observed=CHECKS[name] + day, capacity=120, tenants=["acme"], name="a/very-long-name-" * 6, message=HOSTILE, evidence=HOSTILE)

    usual = Threshold(degraded=80, critical=100, unit="%", source="guide")
    return Check(id=f"redis.{name}", system="redis", question="How is it?", query="INFO " + "x" * 200, runbook="r#x", threshold=usual, run=work)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the last of twelve mornings."""
    folder = tmp_path_factory.mktemp("page")
    usual = {name: spec.get("default") for name, spec in {**REPORT, **SINKS}.items()}
    for day in range(1, DAYS + 1):
        checks = [_check(name, day) for name in (*CHECKS, "skip", "broken")]
        link: Link[int] = Link(connect=lambda _s: 1, answers=lambda _c, _s: 1, close=lambda _c: None)
        run = run_checks(checks, link, system="redis", region="us-east-1").to_mapping()
        given = {
            "run_id": f"r{day}",
            "started": f"2026-11-{day:02}T06:00:00Z",
            "environment": "sandbox",
            "regions": ["us-east-1"],
            "report_dir": str(folder),
            "endpoints": json.dumps([{"system": "redis", "region": "us-east-1", "run": run}]),
            "expected": {"redis": ["us-east-1"]},
        }
        result = conclude({**usual, **given}, checks)
    assert result["counts"] == {"ok": 2, "degraded": 1, "critical": 1, "unknown": 1, "skipped": 1}
    return Path(result["path"]).with_suffix(".html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as made:
        yield made


@pytest.fixture
def page(browser: Browser, document: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened; ``param`` is how. At its end nothing was asked for, complained of or popped up."""
    with browser.new_context(**{"viewport": DESKTOP, **getattr(request, "param", {})}) as context:
        shown = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        shown.on("request", lambda asks: asked.append(asks.url))
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("dialog", lambda dialog: said.append(dialog.message))
        shown.goto(document.as_uri())
        yield shown
        assert asked == [document.as_uri()]
        assert said == []


def visible(page: Page, verdict: str) -> int:
    found = page.locator(f'[data-verdict="{verdict}"]')
    return sum(found.nth(number).is_visible() for number in range(found.count()))


def test_the_verdict_comes_first_and_every_line_has_its_past(page: Page) -> None:
    assert page.locator("h1").inner_text().split() == ["health", "critical"]
    assert page.locator("h1").bounding_box()["y"] < 100  # type: ignore[index]
    lines = page.locator("details tbody svg[role=img]")
    assert lines.count() == len(CHECKS)
    said = {lines.nth(number).get_attribute("aria-label") for number in range(lines.count())}
    assert said == {f"12 of the last 12 runs: {start + 1:g} to {start + 12:g} %, now {start + 12:g}" for start in CHECKS.values()}
    assert page.locator("svg[aria-label='verdicts of the last runs'] rect").count() == DAYS


def test_what_others_wrote_is_text(page: Page) -> None:
    assert page.locator("img, iframe, object, link").count() == 0
    assert page.locator("script").count() == 1
    assert "<img src=x onerror=alert(1)>" in page.locator("body").inner_text()


def test_a_filter_hides_its_verdict_and_nothing_else(page: Page) -> None:
    before = {verdict: visible(page, verdict) for verdict in VERDICTS}
    assert all(before.values()), before
    for verdict in VERDICTS:
        button = page.locator(f'.tiles button[data-filter="{verdict}"]')
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert {name: visible(page, name) for name in VERDICTS} == {**before, verdict: 0}
        button.press("Enter")
        assert {name: visible(page, name) for name in VERDICTS} == before


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_words_stand_out_from_what_they_are_written_on(page: Page) -> None:
    """At least 4.5:1, the level AA of WCAG 2, in light and dark."""
    assert contrast(page) >= 4.5


def contrast(page: Page) -> float:
    """The worst of all texts."""
    colours = page.evaluate(
        """() => [...document.querySelectorAll("body *:not(script):not(style)")].filter(e => e.innerText?.trim()).map(e => {
             let paper = e; while (paper && getComputedStyle(paper).backgroundColor === "rgba(0, 0, 0, 0)") paper = paper.parentElement;
             return [getComputedStyle(e).color, getComputedStyle(paper).backgroundColor]; })"""
    )
    assert len(colours) > 50
    return float(min(page.evaluate(CONTRAST, pair) for pair in {tuple(pair) for pair in colours}))


def sideways(page: Page) -> bool:
    """Whether the page as a whole must be moved sideways to be read."""
    wide, width = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return bool(wide > width)


def test_dark_is_dark(browser: Browser, document: Path) -> None:
    papers = {}
    for scheme in ("light", "dark"):
        with browser.new_context(color_scheme=scheme) as context:  # type: ignore[arg-type]
            shown = context.new_page()
            shown.goto(document.as_uri())
            papers[scheme] = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert papers == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}


@pytest.mark.parametrize("page", [{"viewport": PHONE}, {"viewport": {"width": 320, "height": 600}}], indirect=True)
def test_on_a_phone_only_tables_scroll_sideways(page: Page) -> None:
    assert not sideways(page)
    assert page.locator(".tiles button").first.bounding_box()["height"] >= 40  # type: ignore[index]


def test_on_paper_everything_is_black_on_white(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.pdf()[:5] == b"%PDF-"


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_everything_is_shown(page: Page) -> None:
    assert all(visible(page, verdict) for verdict in VERDICTS)


def test_a_page_that_is_not_like_that_is_noticed(browser: Browser, document: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.html"
    wrong = '<img src="http://127.0.0.1:1/x.png"><p style="color:#aaa;background:#fff">pale</p><div style="width:500px">wide</div><script>alert(1)</script>'
    spoilt.write_text(document.read_text(encoding="utf-8").replace("<h1>", f"{wrong}<h1>"), encoding="utf-8")
    with browser.new_context(viewport=PHONE) as context:  # type: ignore[arg-type]
        shown = context.new_page()
        said: list[str] = []
        shown.on("console", lambda message: said.append(message.text))
        shown.goto(spoilt.as_uri())
        assert contrast(shown) < 2.5
        assert sideways(shown)
    assert len([text for text in said if "Content Security Policy" in text]) == 2


def test_pictures_are_made_of_it(browser: Browser, document: Path, tmp_path: Path) -> None:
    made = pictures(browser, document, tmp_path)
    assert [path.name for path in made] == ["health-light.png", "health-dark.png", "health-phone.png"]
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in made)
