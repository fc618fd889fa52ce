# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases on the real registry: all or none, one holder at a time, over when everybody is gone and not before, fenced when lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from readers import Platform, declare

CHECKOUT = Path(__file__).resolve().parents[3]
PREFIX = "rpl-"

# A process that takes a lease, or works under one, tells so, and then waits to be killed or released.
HOLDER = """
import json, sys, time
from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import Lease
from ansible_collections.leanvibe.ops.plugins.module_utils.common.processes import identify
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.connection import session
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.leases import Claim, take
what = json.loads(sys.argv[1])
if what["names"]:
    with session(what["registry"]) as connection:
        token = take(connection, Claim(what["names"], "bob (bob@elsewhere)", "tenants", "run-of-bob", identify(), what["ttl"])).token
else:
    token = what["token"]
    lease = Lease.from_params({"registry": what["registry"], "name": "tenants", "owner": "bob", "token": token})
    lease.__enter__()
    lease.check()
print(token, flush=True)
sys.stdin.readline()
if not what["names"]:
    lease.__exit__(None, None, None)
"""


@pytest.fixture(scope="module")
def platform(sandbox: dict[str, Any], credentials: dict[str, Any], sandbox_dir: Path) -> Iterator[Platform]:
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.schema import bring_up

    found = Platform(sandbox, credentials, sandbox_dir)
    bring_up(found.registry_params(), str(CHECKOUT / "roles/registry/files/migrations"), check=False)
    found.forget(PREFIX)
    yield found
    found.forget(PREFIX)


@pytest.fixture
def names(request: pytest.FixtureRequest) -> list[str]:
    return [f"tenant/{PREFIX}{abs(hash(request.node.name)) % 10**9}-{number}" for number in range(3)]


@pytest.fixture
def hold(platform: Platform) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """``hold(names)`` takes leases from a process of its own, ``hold([], token=…)`` works under one."""
    processes = []

    def start(wanted: list[str], ttl: int = 60, token: int | None = None) -> tuple[subprocess.Popen[str], int]:
        import json

        what = json.dumps({"names": wanted, "ttl": ttl, "token": token, "registry": platform.registry_params()})
        command = [sys.executable, "-c", HOLDER, what]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env={"PYTHONPATH": str(CHECKOUT / "collections")}
        )
        processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the holder did not get its lease"
        return process, int(line)

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def take(platform: Platform) -> Callable[..., Any]:
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.connection import session
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.leases import Claim, take_within

    def do(wanted: list[str], wait: float = 0, ttl: int = 60, owner: str = "ada") -> Any:
        with session(platform.registry_params()) as connection:
            return take_within(connection, Claim(wanted, owner, "tenants", f"run-of-{owner}", None, ttl), wait)

    return do


@pytest.fixture
def conflict() -> type[Exception]:
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Conflict

    return Conflict


@pytest.fixture
def lost() -> type[Exception]:
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import LeaseLost

    return LeaseLost


def held(platform: Platform, names: list[str]) -> dict[str, int]:
    return dict(platform.rows("SELECT name, token FROM leases WHERE name = ANY(%s)", names))


def test_all_or_none(platform: Platform, names: list[str], take: Callable[..., Any], conflict: type[Exception]) -> None:
    first = take(names[1:2])
    with pytest.raises(conflict):
        take(names, owner="eve")
    assert held(platform, names) == {names[1]: first.token}


def test_who_comes_second_is_told_who_holds_what_since_when_and_until_when(
    names: list[str], hold: Callable[..., Any], take: Callable[..., Any], conflict: type[Exception]
) -> None:
    hold(names[:2])
    with pytest.raises(conflict) as caught:
        take(names)
    message = str(caught.value)
    for part in (names[0], names[1], "held by bob (bob@elsewhere)", "run run-of-bob", "since 20", "until 20", "works on 2 of the selected"):
        assert part in message
    assert names[2] not in message


def test_tokens_only_grow(names: list[str], take: Callable[..., Any]) -> None:
    tokens = [take([name]).token for name in names]
    assert tokens == sorted(set(tokens))


def test_of_many_at_once_exactly_one_wins_and_nothing_deadlocks(
    platform: Platform, names: list[str], take: Callable[..., Any], conflict: type[Exception]
) -> None:
    def attempt(number: int) -> bool:
        wanted = names if number % 2 else list(reversed(names))
        try:
            take(wanted, owner=f"o{number}")
        except conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert len(set(held(platform, names).values())) == 1


def test_a_killed_holder_is_succeeded_at_once(names: list[str], hold: Callable[..., Any], take: Callable[..., Any], conflict: type[Exception]) -> None:
    process, token = hold(names)
    with pytest.raises(conflict):
        take(names)
    process.kill()
    process.wait()
    taken = take(names)
    assert taken.token > token
    assert taken.instead_of == ("bob (bob@elsewhere) (run run-of-bob)",)


def test_a_module_that_outlives_its_killed_run_holds_the_lease_until_it_ends(
    names: list[str], hold: Callable[..., Any], take: Callable[..., Any], conflict: type[Exception]
) -> None:
    run, token = hold(names)
    worker, _token = hold([], token=token)
    run.kill()
    run.wait()
    with pytest.raises(conflict):
        take(names)
    worker.kill()
    worker.wait()
    assert take(names).token > token


def test_a_module_that_starts_writing_after_the_lease_changed_hands_may_not(
    platform: Platform, names: list[str], hold: Callable[..., Any], take: Callable[..., Any], lost: type[Exception]
) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import Lease

    run, token = hold(names)
    run.kill()
    run.wait()
    take(names)
    with Lease.from_params({"registry": platform.registry_params(), "name": "tenants", "owner": "bob", "token": token}) as late, pytest.raises(lost):
        late.check()


def test_an_unknown_holder_ends_when_its_time_is_over(names: list[str], take: Callable[..., Any], conflict: type[Exception]) -> None:
    take(names, ttl=1)
    with pytest.raises(conflict):
        take(names, owner="eve")
    time.sleep(1.2)
    assert take(names, owner="eve").instead_of == ("ada (run run-of-ada)",)


def test_waiting_gets_the_lease_when_it_is_given_back(platform: Platform, names: list[str], take: Callable[..., Any], conflict: type[Exception]) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.connection import session
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.leases import release

    token = take(names).token

    def give_back() -> None:
        with session(platform.registry_params()) as connection:
            release(connection, token)

    with pytest.raises(conflict):
        take(names, wait=0.6, owner="eve")
    timer = threading.Timer(1, give_back)
    timer.start()
    assert take(names, wait=20, owner="eve").token > token
    timer.join()


def test_a_working_process_keeps_a_short_lease_for_as_long_as_it_works(
    platform: Platform, names: list[str], take: Callable[..., Any], conflict: type[Exception]
) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import Lease

    token = take(names, ttl=2).token
    with Lease.from_params({"registry": platform.registry_params(), "name": "tenants", "owner": "ada", "token": token}) as lease:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            lease.check()
            time.sleep(0.1)
        with pytest.raises(conflict):
            take(names, owner="eve")


def test_leases_are_not_given_back_over_the_head_of_a_module_that_still_works(
    platform: Platform, names: list[str], hold: Callable[..., Any], take: Callable[..., Any], conflict: type[Exception]
) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.connection import session
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.leases import release

    token = take(names).token
    worker, _token = hold([], token=token)
    with session(platform.registry_params()) as connection:
        with pytest.raises(conflict, match=f"pid {worker.pid}"):
            release(connection, token)
        worker.communicate("done\n", timeout=20)
        assert release(connection, token) is True
        assert release(connection, token) is False
    assert held(platform, names) == {}


def test_who_lost_the_lease_cannot_write_into_the_registry(platform: Platform, take: Callable[..., Any], lost: type[Exception]) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry import desired
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.connection import session
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.desired import Run
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant

    tenants = [Tenant.from_mapping(tenant) for tenant in declare(f"{PREFIX}f", 2)]
    names = [f"tenant/{tenant.id}" for tenant in tenants]
    old = take(names, ttl=1).token
    time.sleep(1.2)
    new = take(names, owner="eve").token
    with session(platform.registry_params()) as connection:
        plan = desired.plan(tenants, [], desired.observe(connection))
        with pytest.raises(lost):
            desired.apply(plan, connection, Run(f"{PREFIX}old", "tenants", "sandbox", "ada"), old)
        assert platform.registry(f"{PREFIX}f")["tenants"] == 0
        desired.apply(plan, connection, Run(f"{PREFIX}new", "tenants", "sandbox", "eve"), new)
    assert platform.registry(f"{PREFIX}f")["tenants"] == 2
    assert platform.registry(f"{PREFIX}f")["tenant_history"] == 2


def test_a_lease_whose_time_is_over_still_writes_as_long_as_nobody_took_it(platform: Platform, names: list[str], take: Callable[..., Any]) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.connection import session
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.leases import fence

    token = take(names, ttl=1).token
    time.sleep(1.2)
    with session(platform.registry_params()) as connection, connection.transaction():
        fence(connection, token)
    assert platform.rows("SELECT expires_at > clock_timestamp() FROM lease_holders WHERE token = %s", token) == [(True,)]
