# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML file: no script, nothing loaded from elsewhere, light and dark, on paper and on a phone."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from ..common.redaction import redact, redact_text
from .matrix import groups, matrix, some
from .model import SKIPPED, Item, Report

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #fff; --line: #d5dae0; --tint: #f4f6f8;
  --good: #1a7f37; --warn: #9a6700; --bad: #cf222e; --dim: #59636e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --line: #30363d; --tint: #161b22;
  --good: #3fb950; --warn: #d29922; --bad: #ff7b72; --dim: #9198a1; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
.badge { border: 2px solid currentColor; border-radius: .4rem; padding: 0 .5rem; font-weight: 700; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top; }
th { background: var(--tint); position: sticky; top: 0; } td { overflow-wrap: anywhere; min-width: 3rem; }
td pre { margin: 0; white-space: pre-wrap; font: inherit; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); } .dim { color: var(--dim); }
details summary { cursor: pointer; margin: 1.6rem 0 .4rem; font-weight: 700; }
@media print { body { max-width: none; padding: 0; font-size: 11px; } .scroll { overflow: visible; } th { position: static; } tr { break-inside: avoid; }
  details:not([open]) { display: none; } }
"""
_CLASS = {"succeeded": "good", "ok": "good", "partial": "warn", "degraded": "warn", "refused": "warn"}
_CLASS |= {"failed": "bad", "critical": "bad", "unknown": "bad", "skipped": "dim"}


def _text(value: Any) -> str:
    return escape(redact_text(value if isinstance(value, str) else json.dumps(redact(value), ensure_ascii=False)))


def _verdict(verdict: str, changed: bool = False) -> str:
    return f'<span class="{_CLASS[verdict]}">{verdict}{", changed" if changed else ""}</span>'


def _table(heading: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heading)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _tenants(report: Report) -> str:
    view = matrix(report)
    if not view.rows or not view.columns:
        return ""
    rows = []
    for row in view.rows:
        cells = [view.cells.get((row.id, region, system)) for region, system in view.columns]
        told = ["" if item is None else f'<span title="{_text(item.message)}">{_verdict(item.verdict, item.changed)}</span>' for item in cells]
        rows.append([escape(row.id), escape(row.name), escape(row.tier), escape(row.region), escape(row.state), *told])
    heading = ["tenant", "name", "tier", "home", "state", *(f"{system} {region}" for region, system in view.columns)]
    return "<h2>Tenants</h2>" + _table(heading, rows)


def _grouped(title: str, items: list[Item]) -> str:
    if not items:
        return ""
    rows = [[_verdict(group.verdict), escape(group.place), escape(some(group.tenants, 20)), f"<pre>{_text(group.message)}</pre>"] for group in groups(items)]
    return f"<h2>{title}</h2>" + _table(["verdict", "where", "tenants", "what"], rows)


def _item(item: Item) -> list[str]:
    detail = [f"<pre>{_text(item.message)}</pre>"] if item.message else []
    if item.observed is not None:
        detail.append(f"observed {_text(item.observed)} {escape(item.unit or '')}" + (f", threshold {_text(dict(item.threshold))}" if item.threshold else ""))
    detail += [f"{escape(str(change['action']))} {_text(str(change['object']))}" for change in item.changes]
    detail += [f"{label} {_text(value)}" for label, value in (("evidence:", item.evidence), ("runbook:", item.runbook), ("since", item.since)) if value]
    return [_verdict(item.verdict, item.changed), escape(item.id), escape(item.subject), "<br>".join(detail)]


def render(report: Report) -> str:
    """The document."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in report.counts.items() if count) or "nothing to do"
    if report.acting:
        counts += f"; {report.changed} {'would change' if report.check_mode else 'changed'}"
    title = f"{report.operation} {report.environment} {report.started}"
    run = f"environment {report.environment}, regions {', '.join(report.regions)}, run {report.run_id}, {report.started} to {report.finished}"
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f'<h1>{escape(report.operation)} <span class="badge {_CLASS[report.verdict]}">{report.verdict}</span></h1>',
        f"<p>{escape(counts)}{' &mdash; check mode: nothing was changed' if report.check_mode else ''}</p>",
        f'<p class="soft">{escape(run)}</p>',
        _grouped("Problems", report.problems),
        _tenants(report),
        _grouped("Skipped", [item for item in report.items if item.verdict == SKIPPED]),
    ]
    if report.notes:
        parts.append("<h2>Notes</h2><ul>" + "".join(f"<li>{_text(note)}</li>" for note in report.notes) + "</ul>")
    rows = [_item(item) for item in report.items]
    parts.append(f"<details><summary>All {len(rows)} items</summary>" + _table(["verdict", "id", "subject", "what"], rows) + "</details></body></html>\n")
    return "\n".join(part for part in parts if part)
