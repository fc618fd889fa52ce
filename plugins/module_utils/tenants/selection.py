# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the declared tenants a run is about."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .model import STATES
from .names import shown

FILTERS = ("tier", "region", "state")


def terms(selection: Any) -> list[Any] | None:
    """The single terms of a selection; None means all tenants.

    It is a list, or a text as ``-e tenant_selection=…`` gives it: terms between commas or spaces, or a JSON list.
    """
    if selection is None:
        return None
    if isinstance(selection, str):
        text = selection.strip()
        if text.startswith("["):
            try:
                selection = json.loads(text)
            except ValueError:
                return [text]
        else:
            return text.replace(",", " ").split() or [""]
    return list(selection) if isinstance(selection, (list, tuple)) else [selection]


def select(tenants: Sequence[Mapping[str, Any]], selection: Any, tiers: Collection[str], regions: Collection[str]) -> tuple[set[str], list[str]]:
    """Ids that any term matches, and what is wrong with the terms.

    An empty list selects nothing. A term that names no declared tenant, or a tier, region or state that does not exist, is a problem;
    an existing tier, region or state without tenants is not.
    """
    ids = {tenant["id"] for tenant in tenants if isinstance(tenant.get("id"), str)}
    wanted = terms(selection)
    if wanted is None:
        return ids, []
    values = {"tier": tiers, "region": regions, "state": STATES}
    chosen: set[str] = set()
    problems: list[str] = []
    for term in wanted:
        kind, colon, value = term.partition(":") if isinstance(term, str) else ("", "", "")
        if not isinstance(term, str) or not term:
            problems.append(f"tenant_selection: {shown(term)} is not an id, tier:<tier>, region:<region> or state:<state>; leave the variable out for all")
        elif not colon:
            if term not in ids:
                problems.append(f"tenant_selection: no declared tenant has the id {shown(term)}")
            chosen.add(term)
        elif kind not in FILTERS:
            problems.append(f"tenant_selection: {shown(term)} begins with none of tier:, region:, state:")
        elif value not in values[kind]:
            problems.append(f"tenant_selection: {shown(term)} matches nothing; {kind} is one of {', '.join(sorted(values[kind]))}")
        else:
            unset = "active" if kind == "state" else None
            chosen |= {tenant["id"] for tenant in tenants if isinstance(tenant.get("id"), str) and tenant.get(kind, unset) == value}
    return chosen & ids, problems
