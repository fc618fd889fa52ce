# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says about health runs, checked as a whole: every mistake is named at once, before anything is asked or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.errors import InvalidInput
from . import sinks, thresholds, waivers
from .model import About
from .runner import Selection
from .waivers import BAD, Waiver


@dataclass(frozen=True)
class Inputs:
    """Checked inputs of a run."""

    selection: Selection
    waivers: Sequence[Waiver]
    fail_on: Sequence[str]
    fail_only_new: bool


def read(params: Mapping[str, Any], catalogue: Sequence[About]) -> Inputs:
    """Read ``profile``, ``only``, ``without``, ``writes``, ``thresholds``, ``waivers``, ``fail_on`` and ``fail_only_new``.

    Raises InvalidInput naming everything that is wrong with them.
    """
    known = [about.id for about in catalogue]
    selection = Selection(profile=params["profile"], only=params["only"], without=params["without"], writes=params["writes"])
    wrong = selection.mistakes(known)
    wrong += thresholds.mistakes(params["thresholds"], catalogue)
    wrong += waivers.mistakes(params["waivers"], known)
    wrong += sinks.mistakes(params)
    wrong += [f"fail_on: {word} is no verdict of a finding; there are {', '.join(BAD)}" for word in params["fail_on"] if word not in BAD]
    if wrong:
        raise InvalidInput("The health run is refused (health_thresholds, health_waivers, health_profile, fail_on)", wrong)
    return Inputs(selection, waivers.read(params["waivers"], known), params["fail_on"], params["fail_only_new"])
