# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a report of checks: its style, its one small script, and its template. Filled in by health_html.py."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --card: #f6f8fa; --line: #d0d7de;
  --ok: #1a7f37; --degraded: #8a5a00; --critical: #cf222e; --unknown: #8250df; --skipped: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --card: #161b22; --line: #30363d;
  --ok: #3fb950; --degraded: #d29922; --critical: #ff7b72; --unknown: #bc8cff; --skipped: #9198a1; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0; display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; } p { margin: .3rem 0; } ul { margin: .3rem 0; padding-left: 1.2rem; }
.soft { color: var(--soft); } .badge { border: 2px solid currentColor; border-radius: .4rem; padding: 0 .6rem; font-weight: 700; }
.ok { color: var(--ok); } .degraded { color: var(--degraded); } .critical { color: var(--critical); } .unknown { color: var(--unknown); }
.skipped { color: var(--skipped); }
.tiles { display: flex; flex-wrap: wrap; gap: .5rem; margin: .8rem 0; }
.tiles button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .3rem .8rem;
  cursor: pointer; min-height: 2.5rem; }
.tiles button[aria-pressed="false"] { opacity: .45; text-decoration: line-through; }
.card { border: 1px solid var(--line); border-left: .35rem solid currentColor; border-radius: .4rem; background: var(--card); margin: .5rem 0;
  padding: .5rem .8rem; break-inside: avoid; }
.card > * { color: var(--ink); } .card .top { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: baseline; } .card .top svg { margin-left: auto; }
.card dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .3rem 0 0; font-size: .9rem; }
.card dt { color: var(--soft); } .card dd { margin: 0; }
code, pre { font: .88em/1.45 ui-monospace, monospace; white-space: pre-wrap; margin: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; min-width: 4rem; }
th { background: var(--card); } summary { cursor: pointer; font-weight: 700; margin: 1.8rem 0 .4rem; }
svg { vertical-align: middle; overflow: visible; } [hidden] { display: none !important; }
@media (max-width: 40rem) { .card dl { grid-template-columns: 1fr; } .card dt { margin-top: .2rem; } .card .top svg { margin-left: 0; } }
@media print { body { max-width: none; padding: 0; font-size: 11px; background: #fff; color: #000; } .tiles button { border: 0; padding: 0 .6rem 0 0; }
  .scroll { overflow: visible; } details:not([open]) { display: none; } }
"""

# Hides what has a verdict that is switched off. Without scripts everything is shown.
SCRIPT = """
for (const button of document.querySelectorAll(".tiles button")) {
  button.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    for (const part of document.querySelectorAll(`[data-verdict="${button.dataset.filter}"]`)) part.hidden = !shown;
  });
}
"""

TEMPLATE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src '{{ script_hash }}'">
<title>{{ report.operation }} {{ report.environment }}: {{ report.verdict }} {{ report.started }}</title>
<style>{{ style }}</style></head><body>
{% macro spark(item) %}{% set drawn = sparkline(item) %}{% if drawn %}
<svg width="132" height="30" viewBox="-4 -4 132 30" role="img" aria-label="{{ drawn.label }}"><title>{{ drawn.label }}</title>
{% for line in drawn.segments %}<polyline points="{{ line }}" fill="none" stroke="currentColor" stroke-width="1.5"></polyline>{% endfor %}
<circle cx="{{ drawn.x }}" cy="{{ drawn.y }}" r="2.5" fill="currentColor"></circle></svg>{% endif %}{% endmacro %}
{% macro names(list, limit) %}{{ some(list, limit) }}{% endmacro %}
{% macro card(line) %}{% set item = line.first %}
<article class="card {{ item.verdict }}" data-verdict="{{ item.verdict }}">
<div class="top"><strong class="{{ item.verdict }}">{{ item.verdict }}</strong><strong>{{ line.title }}</strong><span>{{ names(line.subjects, 5) }}</span>
{%- if line.items|length == 1 %}{{ spark(item) }}{% endif %}</div>
{% if line.ids|length == 1 and questions[item.id] %}<p class="soft">{{ questions[item.id] }}</p>{% endif %}
<pre>{{ text(item.message) }}</pre>
<dl>
{% if line.items|length == 1 and measured(item) %}<dt>measured</dt><dd>{{ measured(item) }}</dd>{% endif %}
{% if item.since %}<dt>since</dt><dd>{{ item.since }} ({{ age(item.since, report.started) }}
{%- if item.status and item.status != "open" %}, {{ item.status }}{% endif %})</dd>{% endif %}
{% if forecast(item) %}<dt>forecast</dt><dd>{{ forecast(item) }}</dd>{% endif %}
{% if line.tenants %}<dt>tenants</dt><dd>{{ line.tenants|length }}: {{ names(line.tenants, 20) }}</dd>{% endif %}
{% if item.threshold and item.threshold.source %}<dt>threshold from</dt><dd>{{ item.threshold.source }}</dd>{% endif %}
{% if item.evidence and line.items|length == 1 %}<dt>evidence</dt><dd><pre>{{ text(item.evidence) }}</pre></dd>{% endif %}
{% if item.runbook %}<dt>runbook</dt><dd>{{ item.runbook }}</dd>{% endif %}
{% if item.query and line.ids|length == 1 %}<dt>repeat</dt><dd><code>{{ text(item.query) }}</code></dd>{% endif %}
{% if line.ids|length > 1 %}<dt>checks</dt><dd>{{ names(line.ids, 100) }}</dd>{% endif %}
</dl></article>{% endmacro %}
{% macro past(list) %}<ul>{% for one in list %}<li><span class="{{ one.verdict }}">{{ one.verdict }}</span> {{ one.id }} {{ one.subject }}, there for
 {{ age(one.since, report.started) }}</li>{% endfor %}</ul>{% endmacro %}
<h1>{{ report.operation }} <span class="badge {{ report.verdict }}">{{ report.verdict }}</span></h1>
<p><strong>{{ told.executed }}</strong> checks ran, <strong>{{ told.skipped }}</strong> skipped, <strong>{{ told.could_not_run }}</strong> could not run.
{% if tenants %}<strong>{{ tenants|length }}</strong> tenant(s) touched: {{ names(tenants, 20) }}.{% else %}No finding names a tenant.{% endif %}</p>
<p class="soft">environment {{ report.environment }}, regions {{ report.regions|join(", ") }}, profile {{ told.profile }}, run {{ report.run_id }},
{{ report.started }} to {{ report.finished }}; this run {{ told.decision }}{% if report.check_mode %}; check run{% endif %}</p>
{% if told.runs|length > 1 %}<p>last {{ told.runs|length }} runs
<svg width="{{ told.runs|length * 9 }}" height="18" viewBox="0 0 {{ told.runs|length * 9 }} 18" role="img" aria-label="verdicts of the last runs">
{% for run in told.runs %}<g class="{{ run.verdict }}"><rect x="{{ loop.index0 * 9 }}" y="{{ heights[run.verdict] }}" width="7"
 height="{{ 18 - heights[run.verdict] }}" rx="1.5"
 fill="currentColor"><title>{{ run.started }} {{ run.verdict }}</title></rect></g>{% endfor %}</svg></p>{% endif %}
<div class="tiles" role="group" aria-label="show findings by verdict">
{% for verdict in order if report.counts[verdict] %}<button type="button" data-filter="{{ verdict }}" aria-pressed="true"><strong
 class="{{ verdict }}">{{ report.counts[verdict] }}</strong> {{ verdict }}</button>
{% endfor %}</div>
{{ first }}<h2>New {% if told.compared_with %}since {{ told.compared_with }}{% else %}(there is no earlier run to compare with){% endif %}</h2>
{% for line in sections.new %}{{ card(line) }}{% else %}<p>Nothing new.</p>{% endfor %}
{% if changes %}<h2>Changes of the last 24 h</h2>
<div class="scroll"><table><thead><tr><th>when</th><th>where</th><th>what</th><th>who</th><th>findings that came after it</th></tr></thead>
<tbody>{% for change in changes %}<tr><td>{{ change.at }}</td><td>{{ change.where }}</td><td>{{ text(change.what) }}</td><td>{{ change.who }}</td>
<td>{{ names(change.before or [], 10) }}</td></tr>{% endfor %}</tbody></table></div>{% endif %}
{% if sections.open %}<h2>Still open</h2>{% for line in sections.open %}{{ card(line) }}{% endfor %}{% endif %}
{% if told.resolved %}<h2>Resolved</h2>{{ past(told.resolved) }}{% endif %}
{% if told.unseen %}<h2>Open before, not looked at this time</h2>{{ past(told.unseen) }}{% endif %}
{% if sections.filling %}<h2>Will be full</h2>
<div class="scroll"><table><thead><tr><th>what</th><th>where</th><th>when</th><th>now</th><th>last runs</th></tr></thead><tbody>
{% for item in sections.filling %}
<tr data-verdict="{{ item.verdict }}"><td>{{ item.id }}</td><td>{{ item.subject }}</td><td>{{ forecast(item) }}</td>
<td>{{ measured(item) }}</td>
<td>{{ spark(item) }}</td></tr>{% endfor %}</tbody></table></div>
<p class="soft">{{ sections.filling[0].forecast.estimator }}; steady growth is assumed.</p>{% endif %}
{% if sections.waived %}<h2>Waived</h2>{% for line in sections.waived %}{{ card(line) }}{% endfor %}{% endif %}
{% if sections.skipped %}<h2>Skipped</h2><ul>{% for reason, items in sections.skipped %}<li data-verdict="skipped">{{ items|length }} x {{ text(reason) }}
 <span class="soft">({{ names(items|map(attribute="id")|unique|list, 10) }})</span></li>{% endfor %}</ul>{% endif %}
{% if report.notes %}<h2>Notes</h2><ul>{% for note in report.notes %}<li>{{ text(note) }}</li>{% endfor %}</ul>{% endif %}
<details open><summary>All {{ report.items|length }} findings</summary>
<div class="scroll"><table><thead><tr><th>verdict</th><th>check</th><th>where</th><th>measured</th>
<th>last runs</th><th>what</th></tr></thead><tbody>
{% for item in report.items %}<tr data-verdict="{{ item.verdict }}"><td class="{{ item.verdict }}">{{ item.verdict }}</td>
<td>{{ item.id }}</td><td>{{ item.subject }}</td>
<td>{{ measured(item) }}</td><td>{{ spark(item) }}</td><td>{{ text(item.message) }}</td></tr>
{% endfor %}</tbody></table></div></details>
<script>{{ script }}</script></body></html>
"""
