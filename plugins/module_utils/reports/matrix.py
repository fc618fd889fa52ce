# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The view that text and HTML share: tenants x (region, system), and problems with equal messages put together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from .model import Item, Report, TenantRow


@dataclass(frozen=True)
class Matrix:
    """``columns`` are (region, system); ``cells`` maps (tenant, region, system) to the item."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[TenantRow, ...]
    cells: dict[tuple[str, str, str], Item]

    def row_items(self, tenant: str) -> list[Item]:
        """The items of one tenant."""
        return [item for region, system in self.columns if (item := self.cells.get((tenant, region, system)))]


@dataclass(frozen=True)
class Group:
    """Items that say the same: about several tenants of one place, or about the same tenants of several places."""

    verdict: str
    place: str
    message: str
    tenants: tuple[str, ...]


def matrix(report: Report) -> Matrix:
    """Lay out the items whose subject is region/system/tenant."""
    cells: dict[tuple[str, str, str], Item] = {}
    for item in report.items:
        parts = item.subject.split("/")
        if len(parts) == 3 and list(item.tenants) == [parts[2]]:
            cells[(parts[2], parts[0], parts[1])] = item
    columns = tuple(dict.fromkeys((region, system) for _tenant, region, system in sorted(cells, key=lambda cell: (cell[1], cell[2]))))
    named = {row.id: row for row in report.tenants}
    with_cells = {tenant for tenant, _region, _system in cells}
    rows = tuple(named.get(tenant, TenantRow(tenant)) for tenant in sorted(with_cells | set(named)))
    return Matrix(columns, rows, cells)


def groups(items: list[Item]) -> list[Group]:
    """Put items that say the same together, in the order in which they come."""
    together: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for item in items:
        parts = item.subject.split("/")
        place = "/".join(parts[:2]) if len(parts) == 3 and list(item.tenants) == [parts[2]] else item.subject
        together[(item.verdict, place, item.message)] += item.tenants
    places: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (verdict, place, message), tenants in together.items():
        places[(verdict, message, tuple(dict.fromkeys(tenants)))].append(place)
    return [Group(verdict, ", ".join(where), message, tenants) for (verdict, message, tenants), where in places.items()]


def some(names: tuple[str, ...], limit: int = 10) -> str:
    """Names for a sentence: the first of them, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
