# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of faults: what each made, may raise and did raise, counted at the end of the run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Catalogue:
    """Faults that were made: each by its name, what was to be found and was not, and what was found and was not to be."""

    made: dict[str, tuple[set[str], set[str], set[str]]] = field(default_factory=dict)

    def judge(self, name: str, may: Iterable[Any], found: Iterable[Any], evidence: object = None) -> None:
        """Count a fault. Fails unless exactly what it may raise was found."""
        wanted, seen = {str(one) for one in may}, {str(one) for one in found}
        self.made[name] = (wanted & seen, wanted - seen, seen - wanted)
        assert seen == wanted, evidence

    def lines(self) -> list[str]:
        """A line in all, and one for each fault that was not found as it should be."""
        found, missed, false = (sum(len(one[part]) for one in self.made.values()) for part in range(3))
        bad = [
            f"  {name}: missed {sorted(missing) or 'nothing'}, false {sorted(wrong) or 'nothing'}"
            for name, (_found, missing, wrong) in sorted(self.made.items())
            if missing or wrong
        ]
        return [f"faults made: {len(self.made)}; findings found {found}, missed {missed}, false {false}", *bad]


_CATALOGUE = Catalogue()


@pytest.fixture(scope="session")
def provisioned(run_playbook: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """The inventory's tenants are there."""
    done = run_playbook("tenants", extra_vars={"report_dir": str(tmp_path_factory.mktemp("tenants")), "tenants_lock_wait": 60})
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.fixture
def catalogue() -> Catalogue:
    return _CATALOGUE


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _CATALOGUE.made:
        terminalreporter.section("catalogue of faults")
        for line in _CATALOGUE.lines():
            terminalreporter.line(line)
