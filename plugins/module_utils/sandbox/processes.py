# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes belong to a sandbox, told by the mark in their environment and not by the supervisor's word."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.lazy import LazyModule
from .supervisor import MEMBER_VARIABLE, PROGRAM_VARIABLE

if TYPE_CHECKING:
    import psutil
else:
    psutil = LazyModule("psutil")

# These write over their environment (their title takes its place); they are known by their name and working folder.
TITLE_WRITERS = frozenset({"postgres", "redis-server", "redis-check-rdb", "pgbackrest", "pgbouncer"})


@dataclass
class Group:
    """The processes of one program; ``main`` is the one that was started, None if only its children are left."""

    program: str
    main: psutil.Process | None = None
    members: list[psutil.Process] = field(default_factory=list)

    @property
    def paused(self) -> bool:
        """Whether the main process is stopped by a signal."""
        return self.main is not None and _status(self.main) == psutil.STATUS_STOPPED

    def memory(self) -> int:
        """Bytes of memory of all members, shared pages divided among those who share them."""
        return sum(_memory(process) for process in self.members)

    def age(self) -> float:
        """Seconds since the main process was started."""
        return max(0.0, time.time() - self.main.create_time()) if self.main else 0.0

    def send(self, number: int) -> None:
        """Send a signal to every member."""
        for process in self.members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_DEAD)


def _memory(process: psutil.Process) -> int:
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # gone, or not ours to look at in detail
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _variables(pid: int) -> dict[bytes, bytes]:
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    return dict(item.split(b"=", 1) for item in content.split(b"\0") if b"=" in item)


def _works_in(process: psutil.Process, data: Path) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        if process.name() in TITLE_WRITERS:
            return Path(process.cwd()).is_relative_to(data)
    return False


def _program_of_folder(process: psutil.Process, data: Path) -> str:
    """``<data>/us-east-1/postgresql/…`` -> ``postgresql-us-east-1``."""
    parts = Path(process.cwd()).relative_to(data).parts
    return f"{parts[1]}-{parts[0]}" if len(parts) > 1 else "unknown"


def find(data: Path) -> dict[str, Group]:
    """All living processes of the sandbox whose data lie in ``data``, by program; zombies do not live."""
    mark = str(data).encode()
    groups: dict[str, Group] = {}
    owner: dict[int, str] = {}
    everything = [process for process in psutil.process_iter() if _status(process) not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)]
    for process in everything:
        variables = _variables(process.pid)
        if variables.get(MEMBER_VARIABLE.encode()) == mark:
            owner[process.pid] = variables.get(PROGRAM_VARIABLE.encode(), b"unknown").decode()
        elif _works_in(process, data):
            owner[process.pid] = _program_of_folder(process, data)
    for process in everything:
        if process.pid not in owner:
            continue
        program = owner[process.pid]
        group = groups.setdefault(program, Group(program))
        group.members.append(process)
        if owner.get(_parent(process)) != program and (group.main is None or process.create_time() < group.main.create_time()):
            group.main = process
    for group in groups.values():
        if group.main is not None and group.program != "supervisord" and not _is_server(group):
            group.main = None
    return groups


def _is_server(group: Group) -> bool:
    """Whether the oldest member is the server itself, not a child that outlived it (only postgres has such children)."""
    return not (group.program.startswith("postgresql-") and group.main is not None and not _variables(group.main.pid).get(MEMBER_VARIABLE.encode()))


def _parent(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return 0


def end(groups: Iterable[Group], seconds: float = 5.0, number: int = signal.SIGTERM) -> list[str]:
    """End these processes: signal ``number`` to the servers, and SIGKILL to all after ``seconds``. Returns the programs that were ended."""
    chosen = list(groups)
    members = [process for group in chosen for process in group.members]
    for group in chosen:
        # A server ends its children itself; without it they are told one by one.
        for process in [group.main] if group.main else group.members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        group.send(signal.SIGCONT)
    _gone, alive = psutil.wait_procs(members, timeout=seconds)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=seconds)
    return sorted(group.program for group in chosen)


def settle(group: Group, *, paused: bool, seconds: float = 2.0) -> None:
    """Wait until the main process is (or is no longer) stopped: a signal takes a moment."""
    deadline = time.monotonic() + seconds
    while group.paused != paused and time.monotonic() < deadline:
        time.sleep(0.01)


def kill(group: Group) -> None:
    """SIGKILL to the process group of the main process and to whatever of it has a group of its own."""
    if group.main is not None:
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(group.main.pid) == group.main.pid:
                os.killpg(group.main.pid, signal.SIGKILL)
    group.send(signal.SIGKILL)
    psutil.wait_procs(group.members, timeout=5)


def holder_of(port: int) -> str | None:
    """Who listens on a TCP port of this machine, as ``pid 123 (nginx)``; None if nobody does that we may see."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return "a process of another user"
            with contextlib.suppress(psutil.NoSuchProcess):
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return None
