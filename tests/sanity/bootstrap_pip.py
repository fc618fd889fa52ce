# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the pip bootstrap script that ansible-test would download: the interpreter's own pip, then the asked-for version."""

from __future__ import annotations

import runpy
import subprocess
import sys

# In a process of its own: ensurepip switches pip's configuration off in the environment of the process that calls it.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
sys.argv = ["pip", "install", *(argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel"))]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
