# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From many measured things to the few that a report names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..model import Finding

TOP = 20


def worst(found: Sequence[Finding], from_value: float, what: str, top: int = TOP) -> Iterator[Finding]:
    """Those measured at ``from_value`` or above, each by its own name, at most ``top`` of them; what is left over as one, with the tenants of all.

    If none is that high, one finding about all of them with the highest value, so that a threshold which an inventory lowered still has something to
    judge. ``found`` must not be empty; all have a number as ``observed``, and higher is worse.
    """
    ordered = sorted(found, key=lambda finding: float(finding.observed), reverse=True)
    named = [finding for finding in ordered if float(finding.observed) >= from_value]
    if not named:
        highest = ordered[0]
        yield replace(highest, name="", tenants=(), message=f"{len(found)} {what}; the highest is {highest.name or 'this'}: {highest.message}")
        return
    yield from named[:top]
    rest = named[top:]
    if rest:
        tenants = sorted({tenant for finding in rest for tenant in finding.tenants})
        yield replace(
            rest[0], name="others", tenants=tenants, message=f"{len(rest)} more {what} are like this, up to this value; the worst of them: {rest[0].name}"
        )


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3.5 h, 2.1 d."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}" if unit != "min" else f"{seconds / size:.0f} min"
    return f"{seconds:.0f} s"


def amount(size: float) -> str:
    """Bytes as people say them."""
    for limit, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(size) >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size:.0f} B"
