# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines a person should see of the progress files in a folder, and when."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .progress import Record, describe, duration

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_QUIET_LINES = 15.0
# What takes minutes needs a third of the lines.
SECONDS_UNTIL_CALM = 60.0
CALM = 3


@dataclass
class _Shown:
    record: Record
    shown: Record | None = None
    at: float = 0.0


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Reader:
    """Reads what was appended since the last ``poll``; says each step at once, then at most every five seconds, and after a minute every fifteen."""

    def __init__(self, folder: Path, is_alive: Callable[[int], bool] = alive) -> None:
        self._folder = folder
        self._is_alive = is_alive
        self._offsets: dict[str, int] = {}
        self._steps: dict[str, _Shown] = {}

    def poll(self, now: float) -> list[str]:
        """The lines to show at ``now`` (seconds of the same clock as the records' ``started``)."""
        ended: list[_Shown] = []
        for record in self._news():
            step = self._steps.setdefault(record.id, _Shown(record))
            step.record = record
            if record.state != "running":
                ended.append(self._steps.pop(record.id))
        lines = [line for step in ended if (line := self._last_line(step))]
        for identity, step in list(self._steps.items()):
            elapsed = now - step.record.started
            if step.shown is not None and now - step.at >= SECONDS_BETWEEN_LINES and not self._is_alive(step.record.pid):
                del self._steps[identity]
                lines.append(f"{step.record.task}: its process is gone after {duration(elapsed)}")
            elif self._is_due(step, now):
                step.shown, step.at = step.record, now
                lines.append(describe(step.record, elapsed))
        return lines

    @staticmethod
    def _is_due(step: _Shown, now: float) -> bool:
        if step.shown is None:
            return True
        news = (step.record.done, step.record.note) != (step.shown.done, step.shown.note)
        interval = SECONDS_BETWEEN_LINES if news else SECONDS_BETWEEN_QUIET_LINES
        return now - step.at >= (interval if now - step.record.started < SECONDS_UNTIL_CALM else CALM * interval)

    @staticmethod
    def _last_line(step: _Shown) -> str:
        """A step that was over before it could be shown, or soon after, needs no line of its own."""
        worth = step.record.state == "failed" or (step.shown is not None and step.record.elapsed >= SECONDS_BETWEEN_LINES)
        return describe(step.record) if worth else ""

    def _news(self) -> list[Record]:
        records: list[Record] = []
        for path in sorted(self._folder.glob("*.jsonl")):
            try:
                with path.open("rb") as file:
                    file.seek(self._offsets.get(path.name, 0))
                    text = file.read()
            except FileNotFoundError:
                continue
            complete = text.rpartition(b"\n")[0]
            if complete:
                self._offsets[path.name] = self._offsets.get(path.name, 0) + len(complete) + 1
                records.extend(_parsed(complete.decode("utf-8", "replace")))
        return records


def _parsed(text: str) -> list[Record]:
    """The records among the lines; what is none (another version of this collection in the same run) is left out."""
    records = []
    for line in text.splitlines():
        try:
            records.append(Record.parse(line))
        except ValueError:
            continue
    return records
