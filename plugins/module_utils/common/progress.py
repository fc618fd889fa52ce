# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long work says how far it is: a module's own output is hidden until it exits, so it appends JSON lines to a file.

The callback leanvibe.ops.progress names the folder in the environment and shows the lines; without it nothing is written.

    with Progress.step("provisioning PostgreSQL us-east-1", unit="tenants", units=200) as step:
        for outcome in each(...):
            step.advance()
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

FOLDER_VARIABLE = "LEANVIBE_OPS_PROGRESS_DIR"
BYTES = "bytes"
SECONDS_BETWEEN_RECORDS = 0.5
SECONDS_BEFORE_A_RATE = 2.0
# The first units of many tell little about the rest.
SECONDS_BEFORE_A_FORECAST = 15.0
SHARE_BEFORE_A_FORECAST = 0.1


@dataclass(frozen=True)
class Record:
    """One line of a progress file: a step as it was when the line was written.

    ``started`` is CLOCK_MONOTONIC in seconds, which all processes of a machine share; ``elapsed`` and ``left`` are seconds, ``rate`` is units per second.
    ``state`` is ``running``, ``done`` or ``failed``; ``number`` of ``total`` counts steps, ``done`` of ``units`` what is within this one. None is unknown.
    """

    id: str
    pid: int
    state: str
    task: str
    number: int | None
    total: int | None
    unit: str
    done: int
    units: int | None
    note: str
    started: float
    elapsed: float
    rate: float | None
    left: float | None

    @classmethod
    def parse(cls, line: str) -> Record:
        """The record of one line. Raises ValueError if it is none."""
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(f"not a progress record: {line[:80]}") from error


class Step:
    """One step of long work, as a context manager. Thread-safe; costs next to nothing, so call ``advance`` for every unit."""

    def __init__(self, folder: Path | None, task: str, *, number: int | None, total: int | None, unit: str, units: int | None) -> None:
        self._folder = folder
        self._task, self._number, self._total, self._unit = task, number, total, unit
        self._units, self._done, self._note = units, 0, ""
        self._id = uuid.uuid4().hex[:12]
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._written = 0.0

    def __enter__(self) -> Step:
        self._started = time.monotonic()
        with self._lock:
            self._write("running")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._write("done" if kind is None else "failed")

    def advance(self, count: int = 1) -> None:
        """``count`` more units (bytes, if the unit is ``bytes``) are done."""
        with self._lock:
            self._done += count
            self._write_if_due()

    def expect(self, units: int) -> None:
        """It is known now how many units there are in all."""
        with self._lock:
            self._units = units
            self._write_if_due()

    def note(self, text: str) -> None:
        """What is being done right now, in a few words without secrets; an empty text takes it back."""
        with self._lock:
            if text != self._note:
                self._note = text
                self._write_if_due()

    def _write_if_due(self) -> None:
        if self._folder is not None and time.monotonic() - self._written >= SECONDS_BETWEEN_RECORDS:
            self._write("running")

    def _write(self, state: str) -> None:
        if self._folder is None:
            return
        self._written = now = time.monotonic()
        line = json.dumps(asdict(self._record(state, now - self._started)), separators=(",", ":")) + "\n"
        try:
            handle = os.open(self._folder / f"{os.getpid()}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError:
            # The work must not end because nobody can watch it: the folder goes when the playbook does, while a module may live on.
            self._folder = None

    def _record(self, state: str, elapsed: float) -> Record:
        rate = self._done / elapsed if self._done and elapsed >= SECONDS_BEFORE_A_RATE else None
        known = self._units is not None and (elapsed >= SECONDS_BEFORE_A_FORECAST or self._done >= SHARE_BEFORE_A_FORECAST * self._units)
        left = max(0, self._units - self._done) / rate if rate and self._units and known else None
        return Record(
            id=self._id, pid=os.getpid(), state=state, task=self._task, number=self._number, total=self._total, unit=self._unit, done=self._done,
            units=self._units, note=self._note, started=self._started, elapsed=elapsed, rate=rate, left=left,
        )  # fmt: skip


class Progress:
    """Where steps are reported to."""

    @staticmethod
    def step(task: str, *, number: int | None = None, total: int | None = None, unit: str = "", units: int | None = None) -> Step:
        """A step: ``task`` reads like "building etcd 3.6.8" and holds no secret; it is step ``number`` of ``total``.

        ``unit`` names what ``advance`` counts, in the plural ("packages", "tenants"; ``bytes`` is shown in KiB, MiB, GiB);
        ``units`` is how many there are in all.
        """
        folder = os.environ.get(FOLDER_VARIABLE)
        return Step(Path(folder) if folder else None, task, number=number, total=total, unit=unit, units=units)


def describe(record: Record, elapsed: float | None = None) -> str:
    """A record as a line for people; ``elapsed`` in seconds if more time has passed since it was written."""
    elapsed = record.elapsed if elapsed is None else elapsed
    text = record.task
    if record.number is not None and record.total is not None:
        text += f" ({record.number} of {record.total})"
    if record.state == "done":
        return f"{text}: done, {duration(elapsed)}"
    if record.state == "failed":
        return f"{text}: failed after {duration(elapsed)}"
    parts = [text]
    if record.units and record.unit:
        parts.append(f"{amount(min(record.done, record.units), record.unit)} of {amount(record.units, record.unit)}{_word(record.unit)}")
    elif record.done and record.unit:
        parts.append(f"{amount(record.done, record.unit)}{_word(record.unit)}")
    if record.rate is not None and record.unit:
        parts.append(f"{amount(record.rate, record.unit)}/s")
    if record.note:
        parts.append(record.note)
    if elapsed >= 1:
        parts.append(duration(elapsed))
    if record.left is not None and record.done < (record.units or 0):
        parts.append(f"about {duration(record.left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """``35 s``, ``5 min 35 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def amount(count: float, unit: str) -> str:
    """``1,450``, ``2.5`` or, of bytes, ``118.2 MiB``."""
    if unit != BYTES:
        return f"{count:,.0f}" if count >= 10 or count == int(count) else f"{count:.1f}"
    for name in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if name == "B" else f"{count:.1f} {name}"
        count /= 1024
    return f"{count:.1f} GiB"


def _word(unit: str) -> str:
    return "" if unit == BYTES else f" {unit}"
