# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures: a table for the terminal, JSON for what compares runs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .settings import CHECKOUT


@dataclass(frozen=True)
class Figure:
    """One line of the table. ``met`` is None where nothing is expected; a missed expectation is shown and is no failure."""

    name: str
    value: float
    unit: str
    expected: str = ""
    met: bool | None = None
    note: str = ""


@dataclass
class Report:
    """All figures of one run."""

    sizes: dict[str, int]
    figures: list[Figure] = field(default_factory=list)
    started: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def add(self, name: str, value: float, unit: str, *, expected: str = "", met: bool | None = None, note: str = "") -> None:
        """One figure more."""
        self.figures.append(Figure(name, value, unit, expected, met, note))

    def table(self) -> str:
        """The figures in columns."""
        rows = [("figure", "value", "expected", "", "")]
        for figure in self.figures:
            verdict = "" if figure.met is None else "met" if figure.met else "NOT MET"
            rows.append((figure.name, f"{_number(figure.value)} {figure.unit}".strip(), figure.expected, verdict, figure.note))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = []
        for row in rows:
            lines.append("  ".join([row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].ljust(widths[2]), row[3].ljust(widths[3]), row[4]]).rstrip())
        return "\n".join(lines)

    def write(self, folder: Path) -> Path:
        """The figures and the machine, as JSON beside earlier ones and as latest.json; returns where."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "schema": "leanvibe.ops/benchmark/v1",
            "started": self.started,
            "sizes": self.sizes,
            "machine": machine(),
            "figures": [asdict(figure) for figure in self.figures],
        }
        text = json.dumps(content, indent=2) + "\n"
        place = folder / f"{self.started.replace(':', '')}.json"
        place.write_text(text, encoding="utf-8")
        (folder / "latest.json").write_text(text, encoding="utf-8")
        return place


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    load = os.getloadavg()
    return {"cores": os.cpu_count(), "load": [round(value, 2) for value in load], "python": platform.python_version(), "kernel": platform.release()}


def folder() -> Path:
    """Where reports of benchmarks go."""
    return CHECKOUT / "reports/benchmark"
