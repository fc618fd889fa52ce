# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines are shown when."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.progress import Record
from ansible_collections.leanvibe.ops.plugins.module_utils.common.progress_reader import Reader

STEP = Record("a", 7, "running", "building etcd", 1, 2, "packages", 0, 100, "", 1000.0, 0.0, None, None)


def write(folder: Path, *records: Record, name: str = "7.jsonl") -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(record)) + "\n" for record in records)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path, is_alive=lambda pid: pid == 7)


def test_a_new_step_is_shown_at_once_and_once(tmp_path: Path, reader: Reader) -> None:
    write(tmp_path, STEP)
    assert reader.poll(1000.2) == ["building etcd (1 of 2), 0 of 100 packages"]
    assert reader.poll(1000.4) == []


def test_the_same_step_is_shown_at_most_every_five_seconds(tmp_path: Path, reader: Reader) -> None:
    write(tmp_path, STEP)
    shown = []
    for tenth in range(200):
        write(tmp_path, replace(STEP, done=tenth, elapsed=tenth / 10))
        shown.extend(reader.poll(1000 + tenth / 10))
    assert [line.rpartition(", ")[2] for line in shown] == ["0 of 100 packages", "5 s", "10 s", "15 s"]


def test_what_takes_minutes_needs_fewer_lines(tmp_path: Path, reader: Reader) -> None:
    at = []
    for second in range(100):
        write(tmp_path, replace(STEP, done=second, elapsed=float(second)))
        at += [second] * len(reader.poll(1000.0 + second))
    assert at == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 70, 85]


def test_a_step_without_news_is_shown_seldom_but_with_the_time_passed(tmp_path: Path, reader: Reader) -> None:
    write(tmp_path, STEP)
    reader.poll(1000.0)
    assert [line for second in range(1, 20) for line in reader.poll(1000.0 + second)] == ["building etcd (1 of 2), 0 of 100 packages, 15 s"]


def test_two_steps_do_not_hold_each_other_back(tmp_path: Path, reader: Reader) -> None:
    write(tmp_path, STEP)
    reader.poll(1000.0)
    write(tmp_path, replace(STEP, id="b", task="building kwok"), name="8.jsonl")
    assert reader.poll(1001.0) == ["building kwok (1 of 2), 0 of 100 packages, 1 s"]


def test_the_end_of_a_long_step_is_shown_and_that_of_a_short_one_is_not(tmp_path: Path, reader: Reader) -> None:
    write(tmp_path, STEP, replace(STEP, id="b"))
    reader.poll(1000.0)
    write(tmp_path, replace(STEP, state="done", elapsed=25.0), replace(STEP, id="b", state="done", elapsed=2.0))
    assert reader.poll(1025.0) == ["building etcd (1 of 2): done, 25 s"]


def test_what_was_over_before_it_could_be_shown_is_not_shown_unless_it_failed(tmp_path: Path, reader: Reader) -> None:
    write(tmp_path, STEP, replace(STEP, state="done", elapsed=0.1), replace(STEP, id="b", state="failed", elapsed=0.1))
    assert reader.poll(1000.3) == ["building etcd (1 of 2): failed after 0 s"]


def test_a_step_whose_process_was_killed_does_not_go_on(tmp_path: Path, reader: Reader) -> None:
    write(tmp_path, replace(STEP, pid=8))
    reader.poll(1000.0)
    assert [reader.poll(1000.0 + second) for second in (4, 6, 30)] == [[], ["building etcd: its process is gone after 6 s"], []]


def test_half_a_line_waits_for_its_other_half(tmp_path: Path, reader: Reader) -> None:
    line = json.dumps(asdict(STEP)) + "\n"
    (tmp_path / "7.jsonl").write_text(line[:30], encoding="utf-8")
    assert reader.poll(1000.0) == []
    (tmp_path / "7.jsonl").write_text(line, encoding="utf-8")
    assert reader.poll(1000.3) == ["building etcd (1 of 2), 0 of 100 packages"]


def test_a_strange_line_does_not_hide_the_others(tmp_path: Path, reader: Reader) -> None:
    (tmp_path / "7.jsonl").write_text('{"from": "another version"}\n', encoding="utf-8")
    write(tmp_path, STEP)
    assert len(reader.poll(1000.0)) == 1
