# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a sandbox up and taking it down."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.errors import Conflict, OpsError, Unreachable
from ..common.lazy import LazyModule
from . import catalogue, files, graph, outputs, processes
from .commands import HELPER
from .context import Context
from .part import Part
from .settings import MARKER, read_marker
from .supervisor import Program, Supervisor, signal_number
from .waiting import wait_until

if TYPE_CHECKING:
    import psutil
else:
    psutil = LazyModule("psutil")

LOCK_SECONDS = 180.0
POLL_SECONDS = 0.2
STOP_SECONDS = 20
Say = Callable[[str], None]


@dataclass
class Result:
    """What was done, as sentences; nothing done means nothing changed."""

    done: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.done)


@dataclass(frozen=True)
class Observed:
    """A program as it was found. ``supervised`` is whether our supervisord holds it for its child."""

    alive: bool
    paused: bool
    supervised: bool


def observe(context: Context, programs: Iterable[str]) -> dict[str, Observed]:
    """How each program is now."""
    groups = processes.find(context.data)
    supervisor = Supervisor(context.data, context.supervisor_socket)
    held = supervisor.pids() if supervisor.running() else {}
    found = {}
    for name in programs:
        group = groups.get(name)
        main = group.main if group else None
        found[name] = Observed(main is not None, bool(group and group.paused), main is not None and held.get(name) == main.pid)
    return found


def plan(observed: Mapping[str, Observed]) -> dict[str, str]:
    """What to do with each program that is not as it should be: ``start``, ``resume`` or ``replace`` (it lost its supervisor)."""
    actions = {}
    for name, state in observed.items():
        if not state.alive:
            actions[name] = "start"
        elif not state.supervised:
            actions[name] = "replace"
        elif state.paused:
            actions[name] = "resume"
    return actions


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Let one operation at a time work on the sandbox in ``directory``. Raises Conflict when another does not end."""
    files.directory(directory, 0o755)
    with (directory / ".lock").open("a") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise Conflict(f"another operation has been working on the sandbox in {directory} for {LOCK_SECONDS:g} s: wait for it or end it") from error
                time.sleep(0.2)
        yield


def stop_in_order(context: Context, names: Iterable[str], say: Say) -> list[str]:
    """Stop these programs, whatever needs another one before it. Returns those that were alive.

    An API server whose etcd has gone ignores SIGTERM and keeps its port; a PostgreSQL without its archive waits for it.
    """
    wanted = set(names)
    groups = {name: group for name, group in processes.find(context.data).items() if name in wanted}
    supervisor = Supervisor(context.data, context.supervisor_socket)
    held = supervisor.pids() if supervisor.running() else {}
    parts = {part.id: part for part in catalogue.all_parts(context)}
    first: dict[str, list[str]] = {name: list(part.outlives()) for name, part in parts.items()}
    for name, part in parts.items():
        for need in part.requires():
            first[need].append(name)
    # Removed parts are in nobody's way.
    first |= {name: [] for name in groups if name not in parts}

    def stop(name: str) -> None:
        group = groups.get(name)
        if group is None:
            return
        if name in held:
            supervisor.stop(name, STOP_SECONDS)
        else:
            processes.end([group], STOP_SECONDS, signal_number(parts[name].stop_signal if name in parts else "TERM"))
        say(f"{name} stopped")

    for group in groups.values():
        group.send(signal_number("CONT"))
    graph.run(first, stop)
    return sorted(groups)


class Up:
    """One bring-up."""

    def __init__(self, context: Context, say: Say) -> None:
        self.context = context
        self.say = say
        self.parts = {part.id: part for part in catalogue.all_parts(context)}
        self.supervisor = Supervisor(context.data, context.supervisor_socket)
        self.result = Result()
        self.ready = 0

    def check(self) -> Result:
        """What ``run`` would do to the servers, without doing it."""
        servers = [name for name, part in self.parts.items() if part.ports]
        known = read_marker(self.context.data) is not None
        actions = plan(observe(self.context, servers)) if known else dict.fromkeys(servers, "make and start")
        return Result([f"{name}: {action}" for name, action in sorted(actions.items())])

    def run(self) -> Result:
        """Bring everything up. Raises OpsError (StepsFailed names every part that failed)."""
        began = time.monotonic()
        with exclusive(self.context.settings.directory):
            if read_marker(self.context.data) is None:
                # Before anything is written: a sandbox that is refused its ports is not bound to them.
                self._check_ports(list(self.parts))
            if self.context.prepare():
                self.result.done.append("the sandbox's folders, secrets and authority made")
            self._end_leftovers()
            programs = catalogue.programs(list(self.parts.values()))
            actions = plan(observe(self.context, programs))
            self._replace([name for name, action in actions.items() if action == "replace"])
            self._check_ports([name for name, action in actions.items() if action != "resume"])
            if self.supervisor.ensure(programs.values(), self._stop_altered):
                self.result.done.append("supervisord told about the programs")
            self._resume([name for name, action in actions.items() if action == "resume"])
            graph.run({name: part.requires() for name, part in self.parts.items()}, lambda name: self._bring(self.parts[name], programs.get(name)))
            self.result.done += outputs.publish(self.context)
        self.result.seconds = time.monotonic() - began
        return self.result

    def _end_leftovers(self) -> None:
        """End what a bring-up that was killed has left running (an initdb), children that outlived their server, and what is no part any more."""
        held = self.supervisor.pids() if self.supervisor.running() else {}
        known = {*self.parts, *held, "supervisord"}
        left = [group for name, group in processes.find(self.context.data).items() if name == HELPER or group.main is None or name not in known]
        self.result.done += [f"{name}: ended, it was left over" for name in processes.end(left)]

    def _stop_altered(self, names: list[str]) -> None:
        self.result.done += [f"{name}: stopped, it is to run differently" for name in stop_in_order(self.context, names, lambda _text: None)]

    def _replace(self, names: list[str]) -> None:
        if names:
            self.result.done += [f"{name}: ended, it had lost its supervisor" for name in stop_in_order(self.context, names, lambda _text: None)]

    def _resume(self, names: list[str]) -> None:
        groups = processes.find(self.context.data)
        for name in names:
            if name in groups:
                groups[name].send(signal_number("CONT"))
                self.result.done.append(f"{name}: resumed")

    def _check_ports(self, names: list[str]) -> None:
        taken = []
        for name in names:
            for port in self.parts[name].ports:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind(("127.0.0.1", port))
                    except OSError as error:
                        taken.append(f"port {port} of {name} is taken by {processes.holder_of(port) or error}")
        if taken:
            raise Conflict("; ".join(taken) + ": stop what holds them, or choose other ports with -e sandbox_port_base=… (LEANVIBE_SANDBOX_PORT_BASE)")

    def _bring(self, part: Part, program: Program | None) -> None:
        began = time.monotonic()
        done = part.prepare()
        if program is not None:
            if done and program.name in self.supervisor.pids():
                done += self._reread(part, program)
            done += self._run_until_ready(part, program)
        done += part.configure()
        self.ready += 1
        self.result.done += [f"{part.id}: {what}" for what in done]
        self.say(f"{part.id} ready after {time.monotonic() - began:.1f} s ({self.ready} of {len(self.parts)})")

    def _run_until_ready(self, part: Part, program: Program) -> list[str]:
        started = program.name not in self.supervisor.pids()
        if started:
            self.supervisor.start(program.name)
        try:
            self._wait(part, program)
        except Unreachable:
            if started:
                raise
            # It was alive and says nothing, so it hangs: that is repaired like a death.
            self.supervisor.stop(program.name, program.stop_seconds)
            self.supervisor.start(program.name)
            self._wait(part, program)
            return ["restarted, it had not answered"]
        return ["started"] if started else []

    def _wait(self, part: Part, program: Program) -> None:
        pid = self.supervisor.pids().get(program.name, 0)
        wait_until(part.ready, part.start_timeout, part.id, interval=POLL_SECONDS, still_possible=lambda: self._alive(program.name, pid))

    def _reread(self, part: Part, program: Program) -> list[str]:
        """Make a running server use files that have changed."""
        if part.when_changed == "restart":
            self.supervisor.stop(program.name, program.stop_seconds)
            return ["stopped, its files have changed"]
        if part.when_changed:
            self.supervisor.signal(program.name, part.when_changed)
            return ["told to read its files again"]
        return []

    def _alive(self, name: str, pid: int) -> None:
        if not pid or not psutil.pid_exists(pid):
            raise OpsError(f"{name} ended at once; the end of {self.supervisor.log(name)}:\n{self.supervisor.tail(name)}")


class Down:
    """One taking-down."""

    def __init__(self, context: Context, say: Say) -> None:
        self.context = context
        self.say = say
        self.supervisor = Supervisor(context.data, context.supervisor_socket)
        self.result = Result()

    def check(self, purge: bool) -> Result:
        """What ``run`` would do, without doing it."""
        done = [f"{name}: stop" for name in sorted(processes.find(self.context.data))]
        if purge and self.context.data.exists():
            done.append(f"{self.context.data}: remove")
        return Result(done)

    def run(self, purge: bool) -> Result:
        """Stop everything; with ``purge`` remove the data too. Raises OpsError if something is left."""
        began = time.monotonic()
        with exclusive(self.context.settings.directory):
            self._refuse_strangers(purge)
            groups = processes.find(self.context.data)
            if groups:
                stopped = stop_in_order(self.context, [name for name in groups if name != "supervisord"], self.say)
                self.result.done += [f"{name}: stopped" for name in stopped]
                self._stop_rest()
            if purge:
                self._remove()
        self.result.seconds = time.monotonic() - began
        return self.result

    def _refuse_strangers(self, purge: bool) -> None:
        data = self.context.data
        if not purge or not data.exists() or not any(data.iterdir()):
            return
        if read_marker(data) is None:
            raise OpsError(f"{data} has no {MARKER}, so it does not hold a sandbox's data: nothing in it is removed")

    def _stop_rest(self) -> None:
        if self.supervisor.running():
            self.supervisor.shutdown()
        deadline = time.monotonic() + 5
        while processes.find(self.context.data) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = processes.find(self.context.data)
        if left:
            self.result.done += [f"{name}: ended" for name in processes.end(left.values())]
        survivors = processes.find(self.context.data)
        if survivors:
            named = ", ".join(f"{name} (pid {group.members[0].pid})" for name, group in survivors.items())
            raise Unreachable(f"these processes of the sandbox cannot be ended: {named}")
        with contextlib.suppress(FileNotFoundError):
            self.context.supervisor_socket.unlink()

    def _remove(self) -> None:
        data = self.context.data
        if data.exists():
            shutil.rmtree(data)
            self.result.done.append(f"{data}: removed")
        if self.context.run.exists():
            shutil.rmtree(self.context.run)
        self.result.done += outputs.withdraw(self.context)
