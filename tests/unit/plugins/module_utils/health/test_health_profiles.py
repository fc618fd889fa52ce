# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which checks which run is about: every day all of them, after a deployment the guide's items."""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health import catalogue
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import DAILY, DIAGNOSE, POST_DEPLOY, Comparison
from ansible_collections.leanvibe.ops.plugins.module_utils.health.profiles import AFTER_DEPLOYMENT, belongs
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Selection

KNOWN = {about.id: about for about in catalogue.everything()}
LISTED = [name for names in AFTER_DEPLOYMENT.values() for name in names]


def test_every_day_nothing_is_left_out_but_what_is_for_a_diagnosis() -> None:
    assert {name for name, about in KNOWN.items() if not belongs(about, DAILY)} == {
        name for name, about in KNOWN.items() if tuple(about.profiles) == (DIAGNOSE,)
    }
    assert {name for name in KNOWN if name.startswith(("backend.", "external."))} == {
        name for name, about in KNOWN.items() if about.system in ("backend", "external") and belongs(about, DAILY) and belongs(about, DIAGNOSE)
    }


def test_after_a_deployment_it_is_what_is_listed_and_each_of_it_exists_once() -> None:
    assert [name for name, number in Counter(LISTED).items() if number > 1] == []
    assert {name for name, about in KNOWN.items() if Selection(profile=POST_DEPLOY).wanted(about)} == set(LISTED)


def test_what_is_compared_after_a_deployment_is_looked_at() -> None:
    needed = {about.told_by for name, about in KNOWN.items() if name in LISTED and isinstance(about, Comparison)}
    assert needed <= set(LISTED)


@pytest.mark.parametrize(
    "item",
    [
        "backend.up",
        "backend.database",
        "backend.cache",
        "backend.journey",
        "backend.sign_in",
        "backend.billing",
        "backend.latency",
        "backend.errors",
        "backend.pages",
    ],
)
def test_every_item_of_the_guide_is_in_it(item: str) -> None:
    """Deployment Procedures, "Post-Deployment Verification": health, tenant and authentication, billing, latency, error rate, pages."""
    assert item in LISTED


def test_only_and_profile_go_together() -> None:
    selection = Selection(profile=POST_DEPLOY, only=["backend.up", "backend.certificate"])
    assert [name for name, about in KNOWN.items() if selection.wanted(about)] == ["backend.up"]
