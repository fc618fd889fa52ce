# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the benchmark runs, how large it is, and where the sandbox's parts are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
REGIONS = ("us-east-1", "us-west-2")
PRIMARY = REGIONS[0]
USUAL = Path(__file__).resolve().parent / "usual"
COLLECTIONS = CHECKOUT / "collections"

sys.path.insert(0, str(COLLECTIONS))  # what a bare client sends is built by the code whose speed is in question


class BenchmarkError(Exception):
    """The benchmark cannot go on, or a side did not do what it claims. The text says what to look at."""


@dataclass
class Settings:
    """Sizes and places. ``work`` is private (0700): module parameters and the usual side's variables hold secrets."""

    tenants: int
    usual: int
    repeats: int
    concurrency: int = 16
    sandbox_dir: Path = field(default_factory=lambda: Path(os.environ.get("LEANVIBE_SANDBOX_DIR", CHECKOUT / ".sandbox")))
    work: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="leanvibe-bench-")))

    @classmethod
    def from_environment(cls) -> Settings:
        """LEANVIBE_BENCH_TENANTS (200), LEANVIBE_BENCH_USUAL (10), LEANVIBE_BENCH_REPEATS (3). Raises BenchmarkError without a sandbox."""
        settings = cls(
            tenants=int(os.environ.get("LEANVIBE_BENCH_TENANTS", "200")),
            usual=int(os.environ.get("LEANVIBE_BENCH_USUAL", "10")),
            repeats=int(os.environ.get("LEANVIBE_BENCH_REPEATS", "3")),
        )
        if not (settings.sandbox_dir / "sandbox.yml").is_file():
            raise BenchmarkError(f"no sandbox in {settings.sandbox_dir}; bring it up (make sandbox-up) or run the gate, which does it (make bench)")
        if not 1 <= settings.usual <= settings.tenants <= 999:
            raise BenchmarkError("1 <= LEANVIBE_BENCH_USUAL <= LEANVIBE_BENCH_TENANTS <= 999 does not hold")
        return settings

    @cached_property
    def sandbox(self) -> dict[str, Any]:
        """Addresses of every part, as sandbox_up wrote them."""
        return dict(yaml.safe_load((self.sandbox_dir / "sandbox.yml").read_text(encoding="utf-8")))

    @cached_property
    def credentials(self) -> dict[str, Any]:
        """The sandbox's random secrets."""
        return dict(yaml.safe_load((self.sandbox_dir / "credentials.yml").read_text(encoding="utf-8")))

    def region(self, region: str) -> dict[str, Any]:
        """One region's addresses."""
        return dict(self.sandbox["regions"][region])

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment in which both sides' playbooks run; the same for both."""
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "LEANVIBE_OPS_PROGRESS": "0",
            "PYTHONDONTWRITEBYTECODE": "",
            "LEANVIBE_SANDBOX_DIR": str(self.sandbox_dir),
            "PATH": f"{Path(sys.executable).parent}:{self.sandbox_dir / 'bin'}:{os.environ['PATH']}",
        }

    def compile(self) -> None:
        """Compile what is installed, as pip does and uv does not: the usual side imports much larger packages than ours and would suffer most."""
        packages = sysconfig.get_path("purelib")
        command = [sys.executable, "-m", "compileall", "-q", "-j", "0", "-x", r"/(ansible_collections|ansible_test|tests?)/", packages]
        subprocess.run(command, check=False, timeout=900, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def program(self, name: str) -> str:
        """Path of a client. Raises BenchmarkError if there is none."""
        found = shutil.which(name, path=self.environment["PATH"])
        if found is None:
            raise BenchmarkError(f"{name} is not on PATH and not in {self.sandbox_dir / 'bin'}")
        return found

    def write(self, name: str, content: Any) -> Path:
        """Write JSON into the private folder; returns where."""
        place = self.work / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(content), encoding="utf-8")
        return place
