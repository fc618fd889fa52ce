# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds happen once, whole or not at all, one after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Conflict, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries import cache, command, ensure, lock, planning
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.catalogue import Component

ROOT = Path(__file__).resolve().parents[6]
# The same build in a process of its own, which a test can kill.
BUILD = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
import binaries_world
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries import ensure, planning
machine = binaries_world.World(Path({top!r}), {environment!r}).machine()
print(ensure.apply(planning.plan([binaries_world.DEMO], machine), machine))
"""


def run(world: Any, *components: Component) -> tuple[bool, dict[str, Any]]:
    machine = world.machine()
    plan = planning.plan(components, machine)
    changed = ensure.apply(plan, machine)
    return changed, ensure.as_result(plan, machine, applied=True)


def start(world: Any, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    code = BUILD.format(tests=str(Path(__file__).parent), top=str(world.top), environment=dict(environment))
    python = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    return subprocess.Popen([sys.executable, "-c", code], env=python, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(condition: Any, what: str) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not come"
        time.sleep(0.02)


def half_built(world: Any) -> list[Path]:
    return list((world.top / "cache/binaries/demo").glob(".partial-*/bin/demo"))


def test_a_build_is_made_once_and_runs(world: Any, demo: Component) -> None:
    changed, binaries = run(world.with_go(), demo)
    assert changed is True
    path = Path(binaries["demo"]["path"])
    assert subprocess.run([path], capture_output=True, text=True, check=True).stdout == "demo version v1.2.3\n"
    assert json.loads((path.parents[1] / "build.json").read_text(encoding="utf-8"))["toolchain"] == "go1.26.8"
    calls = len(world.calls)
    changed, again = run(world, demo)
    assert (changed, again["demo"]["path"], again["demo"]["detail"]) == (False, str(path), "built before")
    assert [call for call in world.calls[calls:] if "|build " in call] == []


def test_go_is_called_reproducibly_and_not_in_the_checkout(world: Any, demo: Component) -> None:
    world.environment |= {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "1", "GOOS": "plan9"}
    before = sorted(path for path in (world.top / "builds").rglob("*"))
    run(world.with_go(), demo)
    (call,) = [call for call in world.calls if "|build " in call]
    flags, cgo, folder, arguments = call.split("|")
    assert (flags, cgo) == ("-mod=readonly", "0")
    assert not folder.startswith(str(world.top / "builds"))
    assert "-trimpath -buildvcs=false -ldflags -s -w -X example.test.Version=1.2.3" in arguments
    assert sorted(path for path in (world.top / "builds").rglob("*")) == before
    assert sorted(path.name for path in (world.top / "cache/binaries/demo/1.2.3-go1.26.8").iterdir()) == ["bin", "build.json"]


def test_a_failed_build_leaves_nothing_and_shows_the_last_lines(world: Any, demo: Component) -> None:
    world.environment["FAKE_FAIL"] = "1"
    with pytest.raises(command.BuildFailed) as error:
        run(world.with_go(), demo)
    log = Path(error.value.details["log"])
    assert "demo 1.2.3" in error.value.message
    assert "a.go:1: undefined: x" in error.value.message
    assert str(log) in error.value.message
    assert "undefined: x" in log.read_text(encoding="utf-8")
    assert list((world.top / "cache/binaries/demo").iterdir()) == []


def test_what_says_another_version_is_not_kept(world: Any, demo: Component) -> None:
    world.environment["FAKE_VERSION"] = "1.2.4"
    with pytest.raises(command.BuildFailed, match=r"says that its version is 1\.2\.4"):
        run(world.with_go(), demo)
    assert list((world.top / "cache/binaries/demo").iterdir()) == []


def test_a_killed_build_is_not_taken_for_one_and_the_next_run_completes_it(world: Any, demo: Component) -> None:
    process = start(world.with_go(), {"FAKE_SLEEP": "20"})
    wait_for(lambda: half_built(world), "the half-built program")
    os.killpg(process.pid, 9)
    process.communicate(timeout=10)
    assert half_built(world)
    assert world.machine().cache.built(demo, "go1.26.8") is None
    changed, binaries = run(world, demo)
    assert changed is True
    assert Path(binaries["demo"]["path"]).read_text(encoding="utf-8").startswith("#!/bin/sh")
    assert sorted(path.name for path in (world.top / "cache/binaries/demo").iterdir()) == ["1.2.3-go1.26.8"]


@pytest.mark.parametrize("damage", ["build.json", "bin/demo"])
def test_a_folder_that_is_not_whole_is_built_again(world: Any, demo: Component, damage: str) -> None:
    _changed, binaries = run(world.with_go(), demo)
    (Path(binaries["demo"]["path"]).parents[1] / damage).unlink()
    changed, again = run(world, demo)
    assert changed is True
    assert Path(again["demo"]["path"]).exists()


def test_two_runs_wait_for_one_another_and_build_once(world: Any, demo: Component) -> None:
    first = start(world.with_go(), {"FAKE_SLEEP": "1"})
    wait_for(lambda: half_built(world), "the first build")
    second = start(world, {})
    assert [first.communicate(timeout=30)[0].strip(), second.communicate(timeout=30)[0].strip()] == ["True", "False"]
    assert len([call for call in world.calls if "|build " in call]) == 1


def test_who_waits_says_for_whom(tmp_path: Path) -> None:
    said: list[str] = []
    release = threading.Event()
    held = threading.Event()

    def hold() -> None:
        with lock.exclusive(tmp_path / "lock", "building etcd 3.6.8", said.append):
            held.set()
            release.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    with pytest.raises(Conflict, match=r"process \d+ \(building etcd 3\.6\.8\) still holds"), lock.exclusive(tmp_path / "lock", "mine", said.append, 0.1):
        raise AssertionError("the lock was given twice")
    assert said == [f"waiting for process {os.getpid()} (building etcd 3.6.8)"]
    release.set()
    other.join()
    with lock.exclusive(tmp_path / "lock", "mine", said.append, 0.1):
        assert len(said) == 1


def test_jars_are_checked_and_get_scripts(world: Any, jars: Component) -> None:
    changed, binaries = run(world.with_java(), jars)
    assert changed is True
    lib = Path(binaries["jars"]["path"])
    assert lib == world.top / "cache/binaries/jars/5.1.2-java17/lib"
    with zipfile.ZipFile(lib / "leanvibe-sandbox.jar") as jar:
        assert jar.namelist() == ["x/Main.class"]
    admin = Path(binaries["jars-admin"]["path"]).read_text(encoding="utf-8")
    assert admin.startswith("#!/bin/sh\n")
    assert 'org.example.Admin "$@"' in admin
    assert binaries["java"] == {"path": str(world.bin / "java"), "version": "17", "source": "found", "detail": "Java of this machine"}


def test_a_jar_that_is_not_the_pinned_one_is_refused(world: Any, jars: Component) -> None:
    world.environment["FAKE_JAR"] = "forged"
    with pytest.raises(command.BuildFailed, match=r"1 jar\(s\) are not those of jars.sha256: neo4j-kernel-5\.1\.2\.jar"):
        run(world.with_java(), jars)
    assert list((world.top / "cache/binaries/jars").iterdir()) == []


def test_check_mode_says_what_would_be_done(world: Any, demo: Component) -> None:
    machine = world.with_go().machine()
    plan = planning.plan([demo], machine)
    assert ensure.changes(plan) is True
    assert ensure.as_result(plan, machine, applied=False)["demo"]["detail"] == "would be built: built from source by go1.26.8"
    assert ensure.diff(plan) == {"before": {"demo": "absent"}, "after": {"demo": "1.2.3, built from source by go1.26.8"}}


def test_a_changed_recipe_has_a_place_of_its_own(tmp_path: Path, demo: Component) -> None:
    changed = Component(demo.name, demo.version, demo.licence, demo.recipe, revision=2)
    store = cache.Cache(tmp_path)
    assert store.folder(changed, "go1.26.8").name == "1.2.3-r2-go1.26.8"
    assert store.folder(demo, "go1.26.8").name == "1.2.3-go1.26.8"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LEANVIBE_OPS_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/leanvibe.ops"),
        ({"HOME": "/h"}, "/h/.cache/leanvibe.ops"),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], expected: str) -> None:
    assert cache.default_root(environment) == Path(expected)


def test_a_command_that_takes_too_long_is_ended_with_its_children(world: Any, make_script: Any, tmp_path: Path) -> None:
    slow = make_script(tmp_path / "slow", "#!/bin/sh\necho begun\n/bin/sleep 30 &\necho $! > child\nwait\n")
    begun = time.monotonic()
    with pytest.raises(command.BuildFailed, match=r"did not end within 0 s; its last lines .*:\nbegun"):
        command.run("slow thing", [str(slow)], folder=tmp_path, environment={}, log=tmp_path / "logs/slow.log", timeout=0.4)
    assert time.monotonic() - begun < 10
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    wait_for(lambda: not Path(f"/proc/{child}").exists() or ") Z " in Path(f"/proc/{child}/stat").read_text(encoding="utf-8"), "the child's end")


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(command.BuildFailed, match="nothing cannot be started: No such file"):
        command.run("it", [str(tmp_path / "nothing")], folder=tmp_path, environment={}, log=tmp_path / "log", timeout=1)


def test_only_the_end_of_much_output_is_shown(tmp_path: Path, make_script: Any) -> None:
    loud = make_script(tmp_path / "loud", "#!/bin/sh\ni=0\nwhile [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done\nexit 3\n")
    with pytest.raises(OpsError) as error:
        command.run("it", [str(loud)], folder=tmp_path, environment={}, log=tmp_path / "log", timeout=10)
    assert "line 100" in error.value.message
    assert "line 85\n" not in error.value.message
    assert "ended with status 3" in error.value.message
