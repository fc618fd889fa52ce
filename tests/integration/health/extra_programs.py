# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that only tests need: found, or installed as the sandbox installs its own."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries import ensure, planning
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.cache import Cache, default_root
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.catalogue import select


def program(name: str) -> str:
    """The program's path; it is installed where it is missing. Raises MissingPrerequisites naming what cannot be."""
    machine = planning.Machine(os.environ, Cache(default_root(os.environ)), Path("roles/sandbox/files/builds"))
    plan = planning.plan(select([name]), machine)
    applied = ensure.apply(plan, machine)
    return str(ensure.as_result(plan, machine, applied=applied)[name]["path"])
