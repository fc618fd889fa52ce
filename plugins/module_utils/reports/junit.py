# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report of checks as JUnit XML, for servers that show tests: a suite per place, a case per finding.

Follows the schema that Jenkins' xUnit plugin publishes (junit-10.xsd): degraded and critical are failures, unknown is an error, skipped is skipped.
"""

from __future__ import annotations

import re
from collections import defaultdict
from xml.etree import ElementTree as Xml

from ..common.redaction import redact_text
from .model import SKIPPED, UNKNOWN, Item, Report
from .sections import measured

# What XML 1.0 cannot hold, not even as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {"degraded": "failure", "critical": "failure", UNKNOWN: "error", SKIPPED: "skipped"}


def clean(text: str) -> str:
    """Text that XML can hold, without secrets."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", redact_text(text))


def _case(suite: Xml.Element, item: Item) -> None:
    name = item.subject.split("/", 2)[2] if item.subject.count("/") > 1 else item.id
    case = Xml.SubElement(suite, "testcase", classname=clean(item.id), name=clean(name), time="0")
    tag = _TAGS.get(item.verdict)
    if tag is None:
        return
    told = Xml.SubElement(case, tag, message=clean(item.message))
    if tag != "skipped":
        told.set("type", item.verdict)
    facts = (measured(item), f"since {item.since}" if item.since else "", f"tenants: {', '.join(item.tenants)}" if item.tenants else "")
    details = (item.evidence and f"evidence: {item.evidence}", item.runbook and f"runbook: {item.runbook}", item.query and f"repeat: {item.query}")
    told.text = clean("\n".join(line for line in (*facts, *details) if line))


def _count(items: list[Item]) -> dict[str, str]:
    tags = [_TAGS.get(item.verdict) for item in items]
    counted = {"failures": tags.count("failure"), "errors": tags.count("error"), "skipped": tags.count("skipped")}
    return {"tests": str(len(items)), **{name: str(count) for name, count in counted.items()}, "time": "0"}


def render_junit(report: Report) -> str:
    """The document."""
    places: dict[str, list[Item]] = defaultdict(list)
    for item in report.items:
        places["/".join(item.subject.split("/")[:2])].append(item)
    totals = {name: value for name, value in _count(list(report.items)).items() if name != "skipped"}
    root = Xml.Element("testsuites", {"name": clean(f"{report.operation} {report.environment}"), **totals})
    for place, items in places.items():
        stamp = report.started.removesuffix("Z")
        suite = Xml.SubElement(root, "testsuite", {"name": clean(place), "timestamp": stamp, "hostname": clean(report.environment), **_count(items)})
        for item in items:
            _case(suite, item)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"
