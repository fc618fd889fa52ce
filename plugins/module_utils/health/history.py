# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Past runs, kept small, so that "since", "new" and trends are true. Files here; another place needs the two methods of ``Store``.

A file that is damaged is told, never taken for a run in which nothing was wrong: what is compared with is the newest run that can be read, and if
there is none although there should be, everything counts as new.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from ..common.errors import OpsError
from ..reports.model import CHECK_VERDICTS
from .thresholds import is_number
from .waivers import BAD

SCHEMA = "leanvibe.ops/health-history/v1"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_FILE = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9_-]+\.json")
_PERMISSIONS = 0o640

Key = tuple[str, str]


def moment(text: str) -> datetime:
    """A time as reports write it. Raises ValueError if it is none."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    """A finding as a run left it: since when it is there, and when it was last seen."""

    id: str
    subject: str
    verdict: str
    since: str
    seen: str

    @property
    def key(self) -> Key:
        """What makes it the same finding in another run."""
        return (self.id, self.subject)


@dataclass(frozen=True)
class Past:
    """One run: what was wrong, every number that was measured, and per place the fact ``counters``, from which the next run makes rates."""

    environment: str
    run_id: str
    started: str
    verdict: str
    profile: str
    findings: Mapping[Key, Known] = field(default_factory=dict)
    values: Mapping[Key, float] = field(default_factory=dict)
    counters: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """Compact JSON."""
        findings = [[known.id, known.subject, known.verdict, known.since, known.seen] for known in self.findings.values()]
        values = [[*key, value] for key, value in self.values.items()]
        data = {name: getattr(self, name) for name in ("environment", "run_id", "started", "verdict", "profile")}
        whole = {"schema": SCHEMA, **data, "findings": findings, "values": values, "counters": self.counters}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_text(cls, text: str) -> Past:
        """Read it. Raises ValueError saying what is wrong with it."""
        data = json.loads(text)
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            raise ValueError(f"it is not a run of {SCHEMA}")
        try:
            findings = [Known(*(str(part) for part in row)) for row in data["findings"]]
            values = {(str(name), str(subject)): float(value) for name, subject, value in data["values"]}
            environment, run_id, started, verdict, profile = (str(data[name]) for name in ("environment", "run_id", "started", "verdict", "profile"))
            past = cls(environment, run_id, started, verdict, profile, {one.key: one for one in findings}, values, dict(data.get("counters") or {}))
        except (KeyError, TypeError) as error:
            raise ValueError(f"something is missing in it ({error})") from error
        for time in (past.started, *(one.since for one in findings), *(one.seen for one in findings)):
            moment(time)
        if past.verdict not in CHECK_VERDICTS or any(one.verdict not in BAD for one in findings):
            raise ValueError("it has verdicts that do not exist")
        return past


@dataclass(frozen=True)
class Loaded:
    """Runs, oldest first, and what is wrong with the history."""

    runs: Sequence[Past] = ()
    problems: Sequence[str] = ()

    @property
    def newest(self) -> Past | None:
        """The run to compare with."""
        return self.runs[-1] if self.runs else None


def _safe(name: str) -> str:
    """As a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


class Store(Protocol):
    """Where runs are kept."""

    def load(self, environment: str, before: datetime) -> Loaded:
        """Runs of the environment that began before a time. Never raises for damaged records; these are problems."""

    def add(self, past: Past) -> None:
        """Keep a run, and let go of what retention no longer keeps. Raises OpsError if it cannot be kept."""


def bounds(keep_runs: int, keep_days: int) -> None:
    """Raises OpsError if nothing would be kept."""
    if keep_runs < 1 or keep_days < 1:
        raise OpsError("health_history_runs and health_history_days must be at least 1: without the last run nothing can be told to be new")


class FileStore:
    """One file a run in one directory, of each environment at most ``keep_runs`` of them and none older than ``keep_days``."""

    def __init__(self, directory: str | Path, keep_runs: int = 120, keep_days: int = 90, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        bounds(keep_runs, keep_days)
        self._directory = Path(directory)
        self._keep_runs = keep_runs
        self._keep_days = keep_days
        self._clock = clock

    def _folder(self, environment: str) -> Path:
        return self._directory / _safe(environment)

    def _files(self, environment: str) -> list[Path]:
        folder = self._folder(environment)
        return sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name)) if folder.is_dir() else []

    def load(self, environment: str, before: datetime) -> Loaded:
        """See Store."""
        runs: list[Past] = []
        problems: list[str] = []
        try:
            files = self._files(environment)
        except OSError as error:
            return Loaded((), (f"{self._folder(environment)} cannot be read: {error.strerror or error}",))
        for path in files:
            try:
                past = Past.from_text(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError) as error:
                problems.append(f"{path} cannot be read: {error}")
                continue
            began = moment(past.started)
            if began <= before:
                runs.append(past)
            elif began > self._clock():  # else it began after us and has ended before us
                problems.append(f"{path} is of a run in the future ({past.started}); a clock was wrong")
        return Loaded(sorted(runs, key=lambda past: past.started), problems)

    def add(self, past: Past) -> None:
        """See Store."""
        name, folder = f"{re.sub(r'[^0-9TZ]', '', past.started)}-{_safe(past.run_id)}.json", self._folder(past.environment)
        temporary = folder / f".{name}.{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PERMISSIONS), "w", encoding="utf-8") as file:
                    file.write(past.to_text())
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(folder / name)
            finally:
                temporary.unlink(missing_ok=True)
            self._let_go(past.environment, min(moment(past.started), self._clock()))  # a clock that is ahead must not take all with it
        except OSError as error:
            why = error.strerror or str(error)
            raise OpsError(f"The run cannot be kept in {folder}: {why}. The next run will take what is found now for new.") from error

    def _let_go(self, environment: str, now: datetime) -> None:
        """Delete what is too old or too much; by name, so that damaged files go as well."""
        oldest = (now - timedelta(days=self._keep_days)).strftime("%Y%m%dT%H%M%SZ")
        files = self._files(environment)
        for number, path in enumerate(reversed(files)):
            if number >= self._keep_runs or path.name < oldest:
                path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Assessment:
    """Items with ``since`` and ``status``; what is resolved, what was open and was not looked at; and what the next run is to know."""

    items: list[dict[str, Any]]
    resolved: list[Known]
    unseen: list[Known]
    findings: dict[Key, Known]


def assess(items: Sequence[Mapping[str, Any]], looked_at: set[Key], past: Past | None, started: str, forget_after_days: int = 90) -> Assessment:
    """Compare with the last run.

    ``looked_at`` is (check, place) of what ran to its end: only there can a finding that is missing be called resolved. A finding that got worse is
    marked, since it is news. What was not looked at stays open, with its age, for ``forget_after_days``.
    """
    before = dict(past.findings) if past is not None else {}
    told: list[dict[str, Any]] = []
    findings: dict[Key, Known] = {}
    for item in items:
        key = (str(item["id"]), str(item["subject"]))
        if item["verdict"] not in BAD:
            told.append({**item, "since": None})
            continue
        known = before.get(key)
        worse = known is not None and BAD.index(item["verdict"]) < BAD.index(known.verdict)
        since = known.since if known is not None else started
        told.append({**item, "since": since, "status": "new" if known is None else "worse" if worse else "open"})
        if key not in findings or BAD.index(item["verdict"]) < BAD.index(findings[key].verdict):
            findings[key] = Known(*key, item["verdict"], since, started)
    gone = [known for key, known in before.items() if key not in findings]
    resolved = [known for known in gone if _was_looked_at(known, looked_at)]
    limit = moment(started) - timedelta(days=forget_after_days)
    unseen = [known for known in gone if known not in resolved and moment(known.seen) >= limit]
    return Assessment(told, resolved, unseen, findings | {known.key: known for known in unseen})


def _was_looked_at(known: Known, looked_at: set[Key]) -> bool:
    parts = known.subject.split("/")
    places = ("/".join(parts[:2]), f"control/{known.id.split('.', 1)[0]}")
    return any((known.id, place) in looked_at for place in places)


def values_of(items: Sequence[Mapping[str, Any]]) -> dict[Key, float]:
    """Every number that was measured."""
    return {(item["id"], item["subject"]): float(item["observed"]) for item in items if is_number(item.get("observed"))}


def series(runs: Sequence[Past], key: Key, last: int = 30) -> list[float | None]:
    """The values of the last runs, oldest first; None where a run has none."""
    return [past.values.get(key) for past in runs[-last:]]


def points(runs: Sequence[Past], key: Key) -> list[tuple[float, float]]:
    """All values as (seconds since 1970, value), oldest first."""
    return [(moment(past.started).timestamp(), past.values[key]) for past in runs if key in past.values]
