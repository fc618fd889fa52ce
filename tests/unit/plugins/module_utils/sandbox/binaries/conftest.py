# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures; what they give is in binaries_world.py, which is imported late because conftest.py is read before the collection can be imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def world(tmp_path: Path) -> Any:
    import binaries_world

    return binaries_world.make(tmp_path)


@pytest.fixture
def demo() -> Any:
    from binaries_world import DEMO

    return DEMO


@pytest.fixture
def jars() -> Any:
    from binaries_world import JARS

    return JARS


@pytest.fixture
def store() -> Any:
    from binaries_world import STORE

    return STORE


@pytest.fixture
def make_program() -> Any:
    from binaries_world import program

    return program


@pytest.fixture
def make_script() -> Any:
    from binaries_world import script

    return script
