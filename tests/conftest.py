# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and sampling that all tests share."""

from __future__ import annotations

import os
import random
from collections import defaultdict

import pytest

SEED = os.environ.get("LEANVIBE_OPS_SEED", "1")
DEFAULT_SAMPLE = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-faults", action="store_true", help="run the whole fault and kill catalogues, not a seeded sample of each")


def pytest_report_header() -> str:
    return f"seed: {SEED} (repeat with LEANVIBE_OPS_SEED={SEED})"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a seeded sample of every test function that is marked ``faults`` (its parameters are the catalogue)."""
    if config.getoption("--all-faults"):
        return
    catalogues: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("faults"):
            catalogues[item.nodeid.split("[")[0]].append(item)
    dropped: set[pytest.Item] = set()
    for name, members in sorted(catalogues.items()):
        marker = members[0].get_closest_marker("faults")
        size = marker.kwargs.get("sample", DEFAULT_SAMPLE) if marker else DEFAULT_SAMPLE
        chosen = random.Random(f"{SEED}/{name}").sample(members, min(size, len(members)))
        dropped.update(member for member in members if member not in chosen)
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]
