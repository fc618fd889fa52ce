# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs Debian's packages without letting them start anything, and without touching what is already there."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import command
from .lock import exclusive

SECONDS_TO_INSTALL = 1200.0
SECONDS_TO_UPDATE = 300.0
POLICY = Path("/usr/sbin/policy-rc.d")
LOCK = Path("/run/lock/leanvibe.ops-packages.lock")
SYSTEMD = Path("/run/systemd/system")
MARK = "# leanvibe.ops: present only while it installs packages"
# 101 is the answer by which invoke-rc.d knows that an action is forbidden.
POLICY_TEXT = f"#!/bin/sh\n{MARK}\nexit 101\n"
OPTIONS = ("--yes", "--no-install-recommends", "--no-upgrade", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confold")


@contextmanager
def nothing_is_started(policy: Path = POLICY) -> Iterator[None]:
    """Within it, packages start no service: by a policy-rc.d of ours, if the machine has none of its own. One that a kill has left behind is taken over."""
    ours = not policy.exists() or MARK in policy.read_text(encoding="utf-8", errors="replace")
    if not ours:
        yield
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=policy.parent, prefix=".policy-rc.d.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(POLICY_TEXT)
                os.fchmod(file.fileno(), 0o755)
            Path(temporary).replace(policy)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        yield
    finally:
        policy.unlink(missing_ok=True)


def install(
    packages: Sequence[str],
    services: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    say: Callable[[str], None],
    policy: Path = POLICY,
    lock: Path = LOCK,
) -> None:
    """Install ``packages``; their ``services`` neither run now nor at the next boot.

    The lists of packages are fetched once if it does not work with those at hand. Raises BuildFailed with apt's last lines.
    """
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "NEEDRESTART_SUSPEND": "1"}
    argv = ["apt-get", "install", *OPTIONS, *packages]

    def line(text: str) -> None:
        if text.startswith(("Get:", "Unpacking ", "Setting up ")):
            say(" ".join(text.split()[:3]).rstrip(".").lower())

    with exclusive(lock, "installing packages", say), nothing_is_started(policy):
        try:
            command.run("installing Debian's packages", argv, folder=Path("/"), environment=quiet, log=log, timeout=SECONDS_TO_INSTALL, each_line=line)
        except command.BuildFailed:
            say("fetching the lists of packages")
            command.run("fetching Debian's lists", ["apt-get", "update"], folder=Path("/"), environment=quiet, log=log, timeout=SECONDS_TO_UPDATE)
            command.run("installing Debian's packages", argv, folder=Path("/"), environment=quiet, log=log, timeout=SECONDS_TO_INSTALL, each_line=line)
        if services and SYSTEMD.is_dir():
            disable = ["systemctl", "disable", "--quiet", *services]
            command.run("keeping services from the next boot", disable, folder=Path("/"), environment=quiet, log=log, timeout=60.0)


def is_installed(package: str) -> bool:
    """Whether Debian knows the package as installed."""
    try:
        asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
        return subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False).stdout == "installed"
    except FileNotFoundError:
        return False
