# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages are installed without letting them start anything; what was there before is there afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries import command, debian, ensure, planning
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.catalogue import Component

# Asks the policy as a package's installation does, then puts the programs into their places.
APT = """#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >> {top}/apt
if [ "$1" = update ]; then touch {top}/updated; exit 0; fi
[ -e {top}/updated ] || [ -z "$FAKE_OLD_LISTS" ] || {{ echo "E: Unable to locate package" >&2; exit 100; }}
[ -z "$FAKE_FAIL" ] || {{ echo "E: broken" >&2; exit 100; }}
{policy} store start; echo "policy answered $?" >> {top}/apt
for name in store store-cli; do printf '#!/bin/sh\\necho version 7.0.15\\n' > {top}/root/usr/bin/$name; chmod +x {top}/root/usr/bin/$name; done
touch {top}/root/usr/share/store/extra
"""


@pytest.fixture
def policy(world: Any, monkeypatch: pytest.MonkeyPatch, make_script: Any) -> Path:
    """A machine as root on which ``apt-get`` works; the path of its policy."""
    path: Path = world.top / "root/usr/sbin/policy-rc.d"
    for folder in ("usr/bin", "usr/sbin", "usr/share/store"):
        (world.top / "root" / folder).mkdir(parents=True)
    make_script(world.bin / "apt-get", APT.format(top=world.top, policy=path))
    monkeypatch.setattr(debian, "SYSTEMD", world.top / "no-systemd")
    monkeypatch.setattr(debian.install, "__kwdefaults__", {"policy": path, "lock": world.top / "lock"})
    world.environment["PATH"] = f"{world.bin}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", f"{world.bin}:/usr/bin:/bin")
    return path


def install(world: Any, store: Component) -> dict[str, Any]:
    machine = world.machine(is_root=True)
    plan = planning.plan([store], machine)
    assert plan.problems == ()
    assert ensure.apply(plan, machine) is True
    return ensure.as_result(plan, machine, applied=True)


def said(world: Any) -> list[str]:
    return (world.top / "apt").read_text(encoding="utf-8").splitlines()


def test_packages_start_nothing_and_the_policy_is_gone_afterwards(world: Any, store: Component, policy: Path) -> None:
    binaries = install(world, store)
    assert binaries["store-cli"]["path"] == str(world.top / "root/usr/bin/store-cli")
    assert (binaries["store"]["version"], binaries["store"]["source"]) == ("7.0", "debian")
    asked, answered = said(world)
    assert asked.startswith("noninteractive install --yes --no-install-recommends --no-upgrade")
    assert asked.endswith(" store-server")
    assert answered == "policy answered 101"
    assert list(policy.parent.iterdir()) == []


def test_a_policy_of_the_machine_is_asked_and_kept(world: Any, store: Component, policy: Path, make_script: Any) -> None:
    make_script(policy, "#!/bin/sh\nexit 104\n")
    install(world, store)
    assert said(world)[-1] == "policy answered 104"
    assert policy.read_text(encoding="utf-8") == "#!/bin/sh\nexit 104\n"


def test_a_policy_that_a_kill_left_behind_is_removed(world: Any, store: Component, policy: Path, make_script: Any) -> None:
    make_script(policy, debian.POLICY_TEXT)
    install(world, store)
    assert not policy.exists()


def test_the_lists_are_fetched_once_when_they_are_old(world: Any, store: Component, policy: Path) -> None:
    world.environment["FAKE_OLD_LISTS"] = "1"
    install(world, store)
    assert [line.split()[1] for line in said(world) if "noninteractive" in line] == ["install", "update", "install"]


def test_a_failure_shows_apts_words_and_puts_the_policy_back(world: Any, store: Component, policy: Path) -> None:
    world.environment["FAKE_FAIL"] = "1"
    with pytest.raises(command.BuildFailed, match="E: broken"):
        install(world, store)
    assert not policy.exists()
    assert sum("install" in line for line in said(world)) == 2


INSTALL = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts the tests in the background has it ignored
from pathlib import Path
sys.path[:0] = [{tests!r}]
import binaries_world
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries import debian, ensure, planning
debian.install.__kwdefaults__.update(policy=Path({policy!r}), lock=Path({top!r}) / "lock")
machine = binaries_world.World(Path({top!r}), {environment!r}).machine(is_root=True)
ensure.apply(planning.plan([binaries_world.STORE], machine), machine)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_installation_and_puts_the_policy_back(world: Any, policy: Path, make_script: Any, number: int) -> None:
    make_script(world.bin / "apt-get", f"#!/bin/sh\necho $$ > {world.top}/pid\nsleep 30\n")
    code = INSTALL.format(tests=str(Path(__file__).parent), top=str(world.top), policy=str(policy), environment=world.environment)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[6] / "collections")}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 20
    while not ((world.top / "pid").exists() and (world.top / "pid").read_text(encoding="utf-8").strip()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert policy.exists()
    process.send_signal(number)
    assert process.wait(10) != 0
    assert not policy.exists()
    assert not Path(f"/proc/{(world.top / 'pid').read_text(encoding='utf-8').strip()}").exists()


def test_handlers_of_signals_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with command.orderly_end():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_we_brought_does_not_start_at_the_next_boot(world: Any, store: Component, policy: Path, monkeypatch: pytest.MonkeyPatch, make_script: Any) -> None:
    make_script(world.bin / "systemctl", f"#!/bin/sh\necho $* > {world.top}/systemctl\n")
    monkeypatch.setattr(debian, "SYSTEMD", world.top)
    install(world, store)
    assert (world.top / "systemctl").read_text(encoding="utf-8") == "disable --quiet store.service\n"


def test_services_of_packages_that_were_there_are_left_alone(
    world: Any, store: Component, policy: Path, monkeypatch: pytest.MonkeyPatch, make_script: Any
) -> None:
    make_script(world.bin / "systemctl", f"#!/bin/sh\necho $* > {world.top}/systemctl\n")
    make_script(world.bin / "dpkg-query", "#!/bin/sh\nprintf installed\n")
    monkeypatch.setattr(debian, "SYSTEMD", world.top)
    install(world, store)
    assert not (world.top / "systemctl").exists()


def test_a_package_that_brings_no_program_is_an_error(world: Any, store: Component, policy: Path, make_script: Any) -> None:
    make_script(world.bin / "apt-get", "#!/bin/sh\n")
    with pytest.raises(Exception, match=r"Debian package store-server is installed, but .*/store, .*/store-cli is not there"):
        install(world, store)
