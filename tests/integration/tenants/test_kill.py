# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at random moments of provisioning 50 tenants: the next run completes the work, nothing is there twice, nothing is left behind.

Every other time the playbook's process alone is killed, and its modules live on; else it is killed with all its descendants.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from readers import EAST, WEST, Platform, declare

CHECKOUT = Path(__file__).resolve().parents[3]
SEED = os.environ.get("LEANVIBE_OPS_SEED", "1")
NUMBER = 50
MOMENTS = 10


class Killable:
    """A run of the playbook that is killed some time after it began to write."""

    def __init__(self, environment: dict[str, str], extra: dict[str, Any]) -> None:
        command = ["ansible-playbook", "-i", "inventories/sandbox", "playbooks/tenants.yml", "-e", json.dumps(extra)]
        self.process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.descendants: list[psutil.Process] = []
        self.writing = threading.Event()
        self.began = 0.0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "Record what is declared" in line:
                self.began = time.monotonic()
                self.writing.set()

    def finish(self) -> float:
        """Wait for the end; return the seconds since it began to write."""
        self.process.wait(timeout=900)
        return time.monotonic() - self.began

    def bury(self) -> None:
        """Kill what is left of the descendants; Ansible's orphaned workers wait for ever to tell a parent that is no more."""
        for process in self.descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def kill(self, everything: bool) -> str:
        """Kill it, alone or with all descendants; return the task that it was in, or nothing if it was faster than the moment."""
        if self.process.poll() is not None:
            return ""
        self.process.send_signal(signal.SIGSTOP)
        self.descendants = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        if everything:
            self.bury()
        self.process.wait(timeout=60)
        return next((line.strip(" *\n") for line in reversed(self.lines) if line.startswith("TASK")), "")


@pytest.fixture(scope="module")
def platform(sandbox: dict[str, Any], credentials: dict[str, Any], sandbox_dir: Path) -> Platform:
    return Platform(sandbox, credentials, sandbox_dir)


@pytest.fixture
def prefix(platform: Platform, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"rpk{request.node.callspec.params['moment']}-"
    platform.remove(name)
    yield name
    platform.remove(name)


@pytest.fixture(scope="module")
def duration(platform: Platform, ansible_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[float]:
    """Seconds that an undisturbed run needs from its first write to its end."""
    name = "rpk-ref-"
    platform.remove(name)
    run = Killable(ansible_env, {"tenants": declare(name, NUMBER), "report_dir": str(tmp_path_factory.mktemp("reference"))})
    seconds = run.finish()
    assert run.process.returncode == 0, "".join(run.lines[-60:])
    yield seconds
    platform.remove(name)


def counts(platform: Platform, prefix: str) -> dict[str, int]:
    """How many there are of each kind of thing, by what the snapshot's keys begin with."""
    return dict(Counter(" ".join(key.split()[:2]) if key.split()[0] in (EAST, WEST) else key.split()[0] for key in platform.snapshot(prefix)))


@pytest.mark.timeout(1800)
@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_killed_run_is_completed_by_the_next(
    moment: int,
    prefix: str,
    duration: float,
    platform: Platform,
    ansible_env: dict[str, str],
    run_playbook: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    everything = moment % 2 == 1
    delay = random.Random(f"{SEED}/kill/{moment}").uniform(0, duration)
    extra = {"tenants": declare(prefix, NUMBER), "report_dir": str(tmp_path)}
    while True:
        run = Killable(ansible_env, extra)
        assert run.writing.wait(300), "".join(run.lines[-60:])
        time.sleep(delay)
        task = run.kill(everything)
        if task:
            break
        delay *= 0.8
        platform.remove(prefix)
    whom = "everything" if everything else "the parent alone"
    print(f"seed {SEED}, moment {moment}: killed {whom} {delay:.1f} s of {duration:.1f} s after the first write, in {task}")

    again = run_playbook("tenants", extra_vars={**extra, "tenants_lock_wait": 240}, timeout=900)
    run.bury()
    assert again.returncode == 0, again.stdout[-5000:]
    found = counts(platform, prefix)
    everywhere = ("Namespace", "Secret", "ConfigMap", "ResourceQuota", "LimitRange", "redis", "bucket", "account", "node")
    assert {name: found.get(name) for region in (EAST, WEST) for name in [f"{region} {kind}" for kind in everywhere]} == {
        f"{region} {kind}": NUMBER for region in (EAST, WEST) for kind in everywhere
    }
    assert (found["role"], found["schema"]) == (NUMBER, NUMBER)
    broken = [what for tenant in extra["tenants"] for what in platform.credentials_work(tenant["id"], tenant["region"])]
    assert broken == []
    rows = platform.registry(prefix)
    assert (rows["tenants"], rows["tenant_systems"], rows["leases"]) == (NUMBER, 9 * NUMBER, 0)
    assert platform.rows("SELECT count(*) FROM lease_workers")[0][0] == 0

    before = platform.snapshot(prefix)
    third = run_playbook("tenants", extra_vars=extra, timeout=900)
    report = json.loads((tmp_path / "tenants" / "latest.json").read_text(encoding="utf-8"))
    assert third.returncode == 0
    assert [item["subject"] for item in report["items"] if item["changed"]] == []
    assert platform.snapshot(prefix) == before
