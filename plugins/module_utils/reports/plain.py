# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that is safe to print on a terminal."""

from __future__ import annotations

from ..common.redaction import redact_text

WIDTH = 150


def plain(text: str) -> str:
    """Without secrets; what terminals take as control stays visible, but does nothing."""
    return "".join(char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode("ascii") for char in redact_text(text))
