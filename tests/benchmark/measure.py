# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and measures it: wall time, CPU time of it and all its children, and peaks of memory by what the process is."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .settings import CHECKOUT, BenchmarkError

INTERVAL = 0.1  # seconds between looks at memory; each reads the kernel's own peak, so that only very short processes are missed
_MODULE = re.compile(r"AnsiballZ_(\w+)\.py")


@dataclass(frozen=True)
class Measured:
    """One run. Times in seconds; ``cpu`` is user and system of the process and all the children that it waited for; memory in MiB."""

    wall: float
    cpu: float
    output: str = field(repr=False)
    status: int = 0
    memory: Mapping[str, float] = field(default_factory=dict)  # peak resident size by what the process is

    @property
    def peak(self) -> float:
        """The largest process, in MiB."""
        return max(self.memory.values(), default=0.0)


class _Memory(threading.Thread):
    """Looks at the tree below a process and keeps the peak resident size of each kind of process."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[str, float] = {}
        self._root = root
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(INTERVAL):
            self.look()

    def finish(self) -> dict[str, float]:
        self._over.set()
        self.join()
        return dict(sorted(self.peaks.items()))

    def look(self) -> None:
        for pid in _tree(self._root):
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            except OSError:  # it ended meanwhile
                continue
            peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
            name = self.kind_of(pid, arguments)
            self.peaks[name] = max(self.peaks.get(name, 0.0), int(peak[1]) / 1024 if peak else 0.0)

    def kind_of(self, pid: int, arguments: str) -> str:
        """What a process is: the playbook, one of its workers, a module."""
        module = _MODULE.search(arguments)
        if module:
            return f"module {module[1]}"
        if "ansible-playbook" in arguments:
            return "ansible-playbook" if pid == self._root else "worker of ansible-playbook"
        return "other"


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            except OSError:  # it ended meanwhile
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def run(command: Sequence[str], environment: Mapping[str, str], log: Path, *, timeout: float, memory: bool = False) -> Measured:
    """Run a command with its output in ``log``. Raises BenchmarkError if it takes longer than ``timeout`` seconds; its status is for the caller."""
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(timeout, stop)
        timer.start()
        watcher = _Memory(process.pid) if memory else None
        if watcher:
            watcher.start()
        try:
            _pid, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            stop()
            raise
        finally:
            timer.cancel()
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks = watcher.finish() if watcher else {}
    text = log.read_text(encoding="utf-8", errors="replace")
    if late.is_set():
        raise BenchmarkError(f"{Path(command[0]).name} took more than {timeout:.0f} s; the end of its output:\n{text[-2000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, text, process.returncode, peaks)


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)
