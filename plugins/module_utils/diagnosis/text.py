# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis for people: areas, what to do in which order, where the time goes, and the tenant's part, before the findings as health tells them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ..common.redaction import redact_text
from ..reports.model import CHECK_VERDICTS, Item
from ..reports.plain import WIDTH, plain
from ..reports.sections import figure

SHOWN = 15


def effect(one: Mapping[str, Any]) -> str:
    """``1240 s/h``, or that nothing was measured that could be compared."""
    return "no comparable measure" if one["effect"] is None else f"{one['effect']:.4g} {one['unit']}"


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(" ".join(plain(text).split()), WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)


def _ranked(one: Mapping[str, Any]) -> list[str]:
    lines = _wrapped(f"{one['rank']}. [{effect(one)}] {one['id']}  {one['subject']}: {one['message']}", "  ", "     ")
    if one["evidence"]:
        lines += [f"     {plain(line)}"[:WIDTH] for line in str(one["evidence"]).splitlines()[:8]]
    return lines


def _measured(items: Iterable[Item]) -> list[str]:
    return [line for item in items for line in _wrapped(f"{figure(item.observed)} {item.unit or ''}  {item.subject}: {item.message}", "  ", "      ")]


def _section(title: str, body: Sequence[str], none: str = "") -> list[str]:
    return ["", title, *(body or ([f"  {none}"] if none else []))] if body or none else []


def summary(diagnosis: Mapping[str, Any], times: Sequence[Item], shares: Sequence[Item], ways: Sequence[Item]) -> str:
    """The part of the summary that is the diagnosis's own."""
    ranked = {one["rank"]: one for one in diagnosis["ranking"]}
    lines = [f"diagnosis of {'tenant ' + diagnosis['tenant'] if diagnosis['tenant'] else 'the platform'}"]
    lines += _section(
        "Areas:", [f"  {one['verdict'].upper() if one['verdict'] != 'ok' else 'ok':<10}{one['area']:<16}{one['message']}" for one in diagnosis["areas"]]
    )
    body = [line for one in list(ranked.values())[:SHOWN] for line in _ranked(one)]
    body += [f"  … and {len(ranked) - SHOWN} more; the report has them all"] if len(ranked) > SHOWN else []
    lines += _section("Findings by measured effect (time first, then shares; neither is converted into the other):", body, "none")
    phases = [f"  {one['phase']} ({one['when']}): {', '.join(str(number) for number in one['findings']) or 'nothing'}" for one in diagnosis["plan"]]
    lines += _section("Plan, by the numbers above:", phases)
    lines += _section("Where the time goes:", _measured(times))
    lines += _section("Tenants' part:", _measured(shares[:SHOWN]))
    lines += _section("There and back:", _measured(ways))
    return plain("\n".join(lines))


def _cell(text: str) -> str:
    shown = escape(redact_text(text))
    if text in CHECK_VERDICTS:
        return f'<td class="{text}">{shown}</td>'
    return f"<td><pre>{shown}</pre></td>" if "\n" in text else f"<td>{shown}</td>"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heading)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


def page(diagnosis: Mapping[str, Any], times: Sequence[Item], shares: Sequence[Item], ways: Sequence[Item]) -> str:
    """The same as a part of the HTML report; all that comes from systems is escaped."""
    when = {one["phase"]: one["when"] for one in diagnosis["plan"]}
    about = f"tenant {diagnosis['tenant']}" if diagnosis["tenant"] else "the platform"
    parts = [f"<h2>Diagnosis of {escape(about)}</h2>"]
    parts.append(_table(("area", "verdict", "findings"), ([one["area"], one["verdict"], one["message"]] for one in diagnosis["areas"])))
    parts.append("<h2>What to do first: findings by measured effect</h2><p>First what costs time (seconds an hour), then shares of a resource.</p>")
    rows = (
        [str(one["rank"]), effect(one), f"{one['phase']} ({when[one['phase']]})", one["id"], one["subject"], one["message"], one["evidence"] or ""]
        for one in diagnosis["ranking"]
    )
    parts.append(_table(("", "effect", "phase", "check", "where", "what", "proof"), rows))
    for title, items in (("Where the time goes", times), ("Tenants' part", shares), ("There and back", ways)):
        if items:
            told = ([item.id, item.subject, f"{figure(item.observed)} {item.unit or ''}", item.message] for item in items)
            parts.append(f"<h2>{escape(title)}</h2>" + _table(("check", "where", "measured", "what"), told))
    return "\n".join(parts) + "\n"
