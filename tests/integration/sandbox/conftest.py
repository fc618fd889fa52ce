# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the sandbox itself: they break it, and leave it well."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox_box import Box

SECOND_PORT_BASE = int(os.environ.get("LEANVIBE_TEST_SECOND_PORT_BASE", "26000"))


@pytest.fixture
def box(sandbox_dir: Path) -> Iterator[Box]:
    """The running sandbox; whatever a test did to it is repaired afterwards."""
    # The collection can be imported when fixtures run, not yet when this file is read.
    from sandbox_box import Box

    found = Box(sandbox_dir)
    yield found
    found.up()
    assert found.status()["problems"] == []


@pytest.fixture
def second(sandbox_dir: Path, tmp_path: Path) -> Iterator[Box]:
    """A sandbox of its own beside the running one, not up yet; nothing of it is left afterwards."""
    from sandbox_box import Box

    data = Path("/var/lib/leanvibe-sandbox-test") / tmp_path.name if os.geteuid() == 0 else tmp_path / "data"
    made = Box(tmp_path / ".sandbox", data, SECOND_PORT_BASE, dict(Box(sandbox_dir).context().binaries))
    yield made
    made.down(purge=True)
    shutil.rmtree("/var/lib/leanvibe-sandbox-test", ignore_errors=True)


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process is there and not a zombie."""

    def look(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    return look
