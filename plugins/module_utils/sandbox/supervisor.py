# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one supervisord of a sandbox: every server is a program in it, and nothing is restarted behind a test's back."""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.errors import OpsError, Unreachable
from . import files

CALL_TIMEOUT = 30.0
START_TIMEOUT = 20.0
# Faults of supervisord's XML-RPC interface that mean: it is already as we want it.
ALREADY_STARTED = 60
NOT_RUNNING = 70
ALREADY_ADDED = 90
MEMBER_VARIABLE = "LEANVIBE_SANDBOX_MEMBER"
PROGRAM_VARIABLE = "LEANVIBE_SANDBOX_PROGRAM"


@dataclass(frozen=True)
class Program:
    """A server as supervisord runs it. ``stop_seconds`` is how long a stop may take before it is killed."""

    name: str
    argv: tuple[str, ...]
    directory: Path
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 10


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002  the path says it all
        return _UnixConnection(self._path, self._timeout)


def _quoted(value: str) -> str:
    """A value as supervisord's ini parser and its expansion of %(…)s leave it alone."""
    if any(character in value for character in '"\n;'):
        raise ValueError(f"{value!r} cannot stand in supervisord's configuration")
    return value.replace("%", "%%")


def configuration(programs: Iterable[Program], data: Path, socket_path: Path) -> str:
    """supervisord's configuration file for these programs."""
    lines = [
        "[supervisord]",
        f"logfile = {data}/logs/supervisord.log",
        "logfile_maxbytes = 5MB",
        "logfile_backups = 1",
        f"pidfile = {data}/supervisord.pid",
        f"childlogdir = {data}/logs",
        f"directory = {data}",
        *(["user = root"] if os.geteuid() == 0 else []),
        "[unix_http_server]",
        f"file = {socket_path}",
        "chmod = 0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in sorted(programs, key=lambda item: item.name):
        variables = {**program.environment, PROGRAM_VARIABLE: program.name}
        lines += [
            f"[program:{program.name}]",
            f"command = {_quoted(shlex.join(program.argv))}",
            f"directory = {program.directory}",
            "environment = " + ",".join(f'{key}="{_quoted(value)}"' for key, value in sorted(variables.items())),
            *([f"user = {program.user}"] if program.user else []),
            "autostart = false",
            "autorestart = false",
            "startsecs = 0",
            "startretries = 0",
            f"stopsignal = {program.stop_signal}",
            f"stopwaitsecs = {program.stop_seconds}",
            "stopasgroup = false",
            "killasgroup = true",
            "redirect_stderr = true",
            f"stdout_logfile = {data}/logs/{program.name}.log",
            "stdout_logfile_maxbytes = 10MB",
            "stdout_logfile_backups = 1",
        ]
    return "\n".join(lines) + "\n"


class Supervisor:
    """Client of the sandbox's supervisord. Every call opens its own connection, so threads may share an object."""

    def __init__(self, data: Path, socket_path: Path) -> None:
        self.data = data
        self.socket_path = socket_path
        self.config = data / "supervisord.conf"

    def _call(self, method: str, *arguments: Any, timeout: float = CALL_TIMEOUT) -> Any:
        proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_UnixTransport(str(self.socket_path), timeout))
        try:
            target = proxy
            for name in method.split("."):
                target = getattr(target, name)
            return target(*arguments)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the sandbox's supervisord does not answer on {self.socket_path} ({error}): see {self.data}/logs/supervisord.log") from error
        finally:
            proxy("close")()

    def running(self) -> bool:
        """Whether supervisord answers."""
        if not self.socket_path.exists():
            return False
        try:
            return bool(self._call("supervisor.getState", timeout=5.0)["statename"] == "RUNNING")
        except Unreachable:
            return False

    def ensure(self, programs: Iterable[Program], stop: Callable[[list[str]], None]) -> bool:
        """Have supervisord run with exactly these programs known; what runs unchanged goes on running. True if something changed.

        ``stop`` is called with the names of programs that are to run differently from now on or not at all.
        """
        changed = files.write(self.config, configuration(programs, self.data, self.socket_path))
        if not self.running():
            self._launch()
            return True
        # Also when the file is as it was: whoever wrote it may have died before supervisord read it.
        added, altered, removed = self._call("supervisor.reloadConfig")[0]
        if altered or removed:
            stop([*altered, *removed])
        for name in [*removed, *altered]:
            self._call("supervisor.removeProcessGroup", name)
        for name in [*added, *altered]:
            self._call("supervisor.addProcessGroup", name)
        return bool(changed or added or altered or removed)

    def _launch(self) -> None:
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": str(self.data)}
        environment |= {MEMBER_VARIABLE: str(self.data), PROGRAM_VARIABLE: "supervisord"}
        argv = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.config)]
        log = self.data / "logs" / "supervisord.start.log"
        with log.open("wb") as output:
            done = subprocess.run(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.data,
                start_new_session=True,
                timeout=START_TIMEOUT,
                check=False,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.running():
            if done.returncode != 0 or time.monotonic() > deadline:
                raise OpsError(f"supervisord did not start (exit status {done.returncode}): {log.read_text(errors='replace').strip()[-800:]}")
            time.sleep(0.05)

    def start(self, name: str) -> None:
        """Start a program; returns before it is ready."""
        try:
            self._call("supervisor.startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise OpsError(f"{name} cannot be started: {fault.faultString}; see {self.log(name)}") from fault

    def stop(self, name: str, seconds: int) -> None:
        """Stop a program and wait for its end, which its ``stop_seconds`` bound; ``seconds`` is that bound."""
        try:
            self._call("supervisor.stopProcess", name, True, timeout=seconds + 15.0)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != NOT_RUNNING:
                raise OpsError(f"{name} cannot be stopped: {fault.faultString}; see {self.log(name)}") from fault

    def signal(self, name: str, signal_name: str) -> None:
        """Send a signal (``HUP``) to a program's main process."""
        self._call("supervisor.signalProcess", name, signal_name)

    def pids(self) -> dict[str, int]:
        """Process id of each program that supervisord holds for alive."""
        return {item["name"]: item["pid"] for item in self._call("supervisor.getAllProcessInfo") if item["pid"]}

    def shutdown(self) -> None:
        """Ask supervisord to stop what still runs and to end."""
        self._call("supervisor.shutdown")

    def log(self, name: str) -> Path:
        """The file with the program's output."""
        return self.data / "logs" / f"{name}.log"

    def tail(self, name: str, characters: int = 800) -> str:
        """The end of the program's output."""
        try:
            return self.log(name).read_text(errors="replace")[-characters:].strip()
        except FileNotFoundError:
            return "(it wrote nothing)"


def signal_number(name: str) -> int:
    """TERM -> 15."""
    return int(signal.Signals[f"SIG{name}"])
