# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run fails: by verdict, and if asked only by what is new since the last run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..reports.model import CRITICAL, UNKNOWN
from .waivers import BAD

FAIL_ON = (CRITICAL, UNKNOWN)
NEWS = ("new", "worse")


@dataclass(frozen=True)
class Decision:
    """``failed`` is the exit status, ``why`` the sentence for the terminal."""

    failed: bool
    why: str


def decide(items: Sequence[Mapping[str, Any]], fail_on: Sequence[str] = FAIL_ON, only_new: bool = False) -> Decision:
    """Look at the items that are left when waivers are applied; a finding without a status counts as new.

    Raises ValueError if ``fail_on`` names what no finding can be.
    """
    if set(fail_on) - set(BAD):
        raise ValueError(f"fail_on may name {', '.join(BAD)}")
    bad = [item for item in items if item["verdict"] in fail_on]
    counting = [item for item in bad if not only_new or item.get("status", "new") in NEWS]
    which = f"{' or '.join(fail_on) or 'nothing'}{', if new since the last run' if only_new else ''}"
    if counting:
        return Decision(True, f"fails: {len(counting)} finding(s) that fail a run ({which})")
    known = f"; {len(bad)} known one(s) do not count" if bad else ""
    return Decision(False, f"does not fail: nothing found that fails a run ({which}){known}")
