# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of a build: their output goes to a log and, line by line, to whoever counts; an error shows its end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ...common.errors import OpsError

LAST_LINES = 15
SECONDS_TO_END = 5.0


class BuildFailed(OpsError):
    """A command of a build failed or ran out of time; the message holds the last lines of its output and the log's path."""


class Interrupted(BaseException):
    """A signal asked this process to end; raised so that clean-up happens first."""


class _Ends:
    """Ends that were asked for while a command was being started. An exception there would leave a command that nobody knows of."""

    starting = False
    asked: BaseException | None = None


@contextmanager
def orderly_end() -> Iterator[None]:
    """Within it, SIGINT, SIGTERM and SIGHUP end the process by an exception, so that what was changed is put back; outside of the main thread they stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        error = KeyboardInterrupt() if number == signal.SIGINT else Interrupted(f"ended by signal {number}")
        if not _Ends.starting:
            raise error
        _Ends.asked = error

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _starting() -> Iterator[None]:
    """Within it, no end is raised; at its end, one that was asked for is."""
    _Ends.starting = True
    try:
        yield
    finally:
        _Ends.starting = False
    asked, _Ends.asked = _Ends.asked, None
    if asked is not None:
        raise asked


def run(
    what: str, argv: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path, timeout: float, each_line: Callable[[str], None] | None = None
) -> list[str]:
    """Run ``argv`` in ``folder``, appending all it writes to ``log``; returns its lines. ``timeout`` in seconds.

    Whatever ends this function ends the command and its children. Raises BuildFailed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    last: deque[str] = deque(maxlen=LAST_LINES)
    with log.open("a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(argv)}\n")
        out.flush()
        expired = threading.Event()
        process: subprocess.Popen[str] | None = None
        timer: threading.Timer | None = None
        try:
            with _starting():
                process = subprocess.Popen(
                    argv, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True, errors="replace", start_new_session=True,
                )  # fmt: skip
                timer = threading.Timer(timeout, _expire, (expired, process))
                timer.daemon = True
                timer.start()
            for line in process.stdout or ():
                out.write(line)
                lines.append(line.rstrip("\n"))
                last.append(line.rstrip("\n"))
                if each_line is not None:
                    each_line(line.rstrip("\n"))
            status = process.wait()
        except OSError as error:
            if process is not None:
                raise
            raise BuildFailed(f"{what}: {argv[0]} cannot be started: {error.strerror}", log=str(log)) from error
        finally:
            if timer is not None:
                timer.cancel()
            if process is not None:
                _end(process)
    if expired.is_set():
        raise BuildFailed(f"{what}: {argv[0]} did not end within {timeout:.0f} s; its last lines (all of them: {log}):\n" + "\n".join(last), log=str(log))
    if status != 0:
        raise BuildFailed(f"{what}: {argv[0]} ended with status {status}; its last lines (all of them: {log}):\n" + "\n".join(last), log=str(log))
    return lines


def _expire(expired: threading.Event, process: subprocess.Popen[str]) -> None:
    expired.set()
    _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End the command's whole group, if it still runs; a package manager gets the time to put things in order."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(SECONDS_TO_END)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
