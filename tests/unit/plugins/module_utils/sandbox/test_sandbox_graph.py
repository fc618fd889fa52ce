# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps wait for what they require; a failure stops what hangs on it and nothing else."""

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import graph, waiting


def test_a_step_runs_after_what_it_requires_and_beside_the_others() -> None:
    order: list[str] = []
    together = threading.Barrier(2, timeout=5)

    def work(name: str) -> None:
        if name in ("a", "b"):
            together.wait()
        order.append(name)

    graph.run({"c": ["a", "b"], "a": [], "b": [], "d": ["c"]}, work)
    assert set(order[:2]) == {"a", "b"}
    assert order[2:] == ["c", "d"]


def test_what_requires_a_failed_step_is_not_tried_and_all_else_is() -> None:
    done: list[str] = []

    def work(name: str) -> None:
        if name == "bad":
            raise OpsError("it broke")
        done.append(name)

    with pytest.raises(graph.StepsFailed) as caught:
        graph.run({"bad": [], "next": ["bad"], "last": ["next"], "other": []}, work)
    assert done == ["other"]
    assert "- bad: it broke" in caught.value.message
    assert "- next: not tried, it needs bad" in caught.value.message
    assert caught.value.details == {"failed": ["bad"], "skipped": ["last", "next"]}


@pytest.mark.parametrize("requires", [{"a": ["b"], "b": ["a"]}, {"a": ["unknown"]}])
def test_circles_and_strangers_are_refused_before_anything_runs(requires: dict[str, list[str]]) -> None:
    done: list[str] = []
    with pytest.raises(ValueError, match=r"circle|nobody"):
        graph.run(requires, done.append)
    assert done == []


def test_waiting_ends_when_the_check_holds() -> None:
    left = [3]

    def check() -> None:
        left[0] -= 1
        if left[0]:
            raise waiting.NotReady("not yet")

    waiting.wait_until(check, 5, "it", interval=0.001)
    assert left == [0]


def test_waiting_gives_up_with_the_last_reason() -> None:
    def check() -> None:
        raise waiting.NotReady("the port is closed")

    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"it was not ready within 0\.05 s: the port is closed"):
        waiting.wait_until(check, 0.05, "it", interval=0.01)
    assert time.monotonic() - began < 2


def test_waiting_ends_early_when_it_cannot_become_true() -> None:
    def check() -> None:
        raise waiting.NotReady("no")

    def dead() -> None:
        raise OpsError("it died")

    with pytest.raises(OpsError, match="it died"):
        waiting.wait_until(check, 60, "it", still_possible=dead)
