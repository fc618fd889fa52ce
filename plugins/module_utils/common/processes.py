# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is this, and is a process that once was still there? Answers "gone" only when that can be proven."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_DEAD_STATES = ("Z", "X", "x")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process of one boot of one machine. ``place`` is empty where a machine cannot be told from another (no /proc): nothing is provable then.

    ``place`` holds the boot and the namespace that the pid counts in: a pid of another container is not to be looked up here.
    ``started`` is in clock ticks since boot, which no change of the clock shifts; 0 is unknown.
    """

    host: str
    place: str
    pid: int
    started: int


def _place(proc: Path) -> str:
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str((proc / "self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{boot}/{namespace}"


def _stat(proc: Path, pid: int) -> tuple[str, int, int] | None:
    """State, parent and start of a process; None if they cannot be read. The name in parentheses may itself hold spaces and parentheses."""
    try:
        fields = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[1]), int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def identify(pid: int | None = None, proc: Path = PROC) -> ProcessIdentity:
    """The identity of a process of this machine, by default of this one."""
    pid = os.getpid() if pid is None else pid
    stat = _stat(proc, pid)
    return ProcessIdentity(socket.gethostname(), _place(proc), pid, stat[2] if stat else 0)


def provably_gone(process: ProcessIdentity, proc: Path = PROC) -> bool:
    """True only if the process ran in this boot and pid namespace and is there no more (or its pid is another process now).

    Another machine's process, or one that we cannot look at, is never provably gone.
    """
    if not process.place or process.place != _place(proc) or process.pid <= 0 or process.started <= 0:
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's process: it exists; its start may still tell that it is another one
    stat = _stat(proc, process.pid)
    if stat is None:
        return False
    return stat[2] != process.started or stat[0] in _DEAD_STATES


def _command(proc: Path, pid: int) -> list[str]:
    try:
        return (proc / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def controller(pid: int | None = None, proc: Path = PROC) -> ProcessIdentity | None:
    """The ansible-playbook that a module's process belongs to: the uppermost of the forks of the nearest such ancestor.

    None if there is none (a module that is run by hand, or no /proc): then nobody can prove later that it is gone.
    """
    pid = os.getpid() if pid is None else pid
    found: tuple[int, list[str]] | None = None
    while pid > 1:
        command = _command(proc, pid)
        if found is not None and command != found[1]:
            break
        if any(Path(part).name.startswith("ansible") and not part.endswith(".py") for part in command[:2]):
            found = (pid, command)
        stat = _stat(proc, pid)
        if stat is None:
            break
        pid = stat[1]
    return identify(found[0], proc) if found else None
