# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step's records and how they read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common import progress
from ansible_collections.leanvibe.ops.plugins.module_utils.common.progress import Progress, Record, describe


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(progress.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def records(folder: Path) -> list[Record]:
    return [Record.parse(line) for path in folder.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]


def record(**values: object) -> Record:
    base = {"id": "a", "pid": 1, "state": "running", "task": "building etcd 3.6.8", "number": None, "total": None, "unit": "", "done": 0, "units": None}
    return Record(**{**base, "note": "", "started": 0.0, "elapsed": 0.0, "rate": None, "left": None, **values})  # type: ignore[arg-type]


def test_a_step_writes_its_beginning_and_its_end(folder: Path) -> None:
    with Progress.step("building etcd 3.6.8", number=2, total=9, unit="packages", units=3) as step:
        step.advance(3)
    first, last = records(folder)
    assert (first.state, first.task, first.number, first.total, first.units) == ("running", "building etcd 3.6.8", 2, 9, 3)
    assert (last.state, last.done, last.id) == ("done", 3, first.id)


def test_a_step_that_fails_says_so_and_hides_nothing(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"), Progress.step("building"):
        raise RuntimeError("broken")
    assert [entry.state for entry in records(folder)] == ["running", "failed"]


def test_without_the_callback_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress.FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with Progress.step("building", units=1) as step:
        step.advance()
    assert list(tmp_path.iterdir()) == []


def test_the_work_goes_on_when_the_folder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(progress.FOLDER_VARIABLE, str(tmp_path / "removed"))
    with Progress.step("building", units=1) as step:
        step.advance()
    assert not (tmp_path / "removed").exists()


def test_many_units_are_few_records(folder: Path) -> None:
    with Progress.step("provisioning", unit="tenants", units=10_000) as step:
        for _number in range(10_000):
            step.advance()
    written = records(folder)
    assert written[-1].done == 10_000
    assert len(written) < 20


def test_threads_lose_no_unit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_RECORDS", 0.0)
    with Progress.step("provisioning", unit="tenants", units=400) as step:
        threads = [threading.Thread(target=lambda: [step.advance() for _number in range(100)]) for _thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    written = records(folder)
    assert written[-1].done == 400
    assert [entry.done for entry in written] == sorted(entry.done for entry in written)


def test_rate_and_time_left_come_after_a_while(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress.step("provisioning", unit="tenants", units=100) as step:
        now[0] += 1
        step.advance(10)
        now[0] += 3
        step.advance(10)
    early, late = [entry for entry in records(folder) if entry.done and entry.state == "running"]
    assert (early.rate, early.left) == (None, None)
    assert (late.rate, late.left, late.elapsed) == (5.0, 16.0, 4.0)


def test_the_first_units_of_many_are_no_forecast(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress.step("building", unit="packages", units=1000) as step:
        for _number in range(20):
            now[0] += 1
            step.advance()
    assert [entry.left is not None for entry in records(folder)] == [False] * 15 + [True] * 7


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"number": 1, "total": 9, "elapsed": 35.2}, "building etcd 3.6.8 (1 of 9), 35 s"),
        ({}, "building etcd 3.6.8"),
        (
            {"unit": "packages", "done": 812, "units": 1450, "rate": 23.4, "left": 27.3, "elapsed": 34.7, "number": 1, "total": 9},
            "building etcd 3.6.8 (1 of 9), 812 of 1,450 packages, 23/s, 35 s, about 27 s left",
        ),
        ({"unit": "bytes", "done": 3 << 20, "units": 118 << 20, "rate": 1536.0}, "building etcd 3.6.8, 3.0 MiB of 118.0 MiB, 1.5 KiB/s"),
        ({"unit": "jars", "done": 4}, "building etcd 3.6.8, 4 jars"),
        ({"note": "linking", "elapsed": 3725}, "building etcd 3.6.8, linking, 1 h 02 min"),
        ({"state": "done", "elapsed": 335, "note": "linking"}, "building etcd 3.6.8: done, 5 min 35 s"),
        ({"state": "failed", "elapsed": 0.2}, "building etcd 3.6.8: failed after 0 s"),
        ({"unit": "packages", "done": 5, "units": 3}, "building etcd 3.6.8, 3 of 3 packages"),
    ],
)
def test_a_record_reads_well(values: dict[str, object], text: str) -> None:
    assert describe(record(**values)) == text


@pytest.mark.parametrize("line", ["", "not json", "[]", '{"id": "a"}', "3"])
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        Record.parse(line)
