# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version a program is, by asking it, and whether that will do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from .catalogue import Component, Version

SECONDS_TO_ANSWER = 20.0


def ask(program: Path, version: Version) -> str | None:
    """The version that ``program`` says it is, or that a folder's files say; None if there is no such answer in time."""
    if not version.arguments:
        names = sorted(path.name for path in program.iterdir()) if program.is_dir() else []
        return next((match[1] for name in names if (match := re.fullmatch(version.pattern, name))), None)
    if not program.is_file() or not os.access(program, os.X_OK):
        return None
    try:
        answer = subprocess.run(
            [str(program), *version.arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS_TO_ANSWER,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(version.pattern, f"{answer.stdout}\n{answer.stderr}") if answer.returncode == 0 else None
    return match[1] if match else None


def compatible(found: str, component: Component) -> bool:
    """Whether version ``found`` will do in place of the component's: as many leading numbers equal as it asks for, the first two not lower."""
    here, wanted = numbers(found), numbers(component.version)
    same = component.ask.same
    return here[:same] == wanted[:same] and here[:2] >= wanted[:2]


def wanted(component: Component) -> str:
    """What will do, in words."""
    parts = component.version.split(".")
    if component.ask.same >= 2:
        return f"{'.'.join(parts[:2])}.x is wanted"
    return f"{parts[0]}, at least {component.version}, is wanted" if len(parts) > 1 else f"{parts[0]} is wanted"


def numbers(version: str) -> tuple[int, ...]:
    """``1.36.3`` as (1, 36, 3)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
