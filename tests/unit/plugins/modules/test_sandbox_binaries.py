# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module sandbox_binaries as Ansible calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.modules import sandbox_binaries

BUILDS = Path(__file__).resolve().parents[4] / "roles/sandbox/files/builds"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of our own, without Go."""
    for name in [name for name in __import__("os").environ if name.startswith(("LEANVIBE_OPS_", "KUBEBUILDER"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("LEANVIBE_OPS_CACHE", str(tmp_path / "cache"))
    return folder


def put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def run(capsys: pytest.CaptureFixture[str], *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    with patch_module_args({"builds_dir": str(BUILDS), "_ansible_check_mode": check, **arguments}), pytest.raises(SystemExit):
        sandbox_binaries.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


GO = """#!/bin/sh
case "$1" in
version) echo "go version go1.99.1 linux/amd64" ;;
build) while [ "$1" != -o ]; do shift; done; printf '#!/bin/sh\\necho toxiproxy-server version 2.5.0\\n' > "$2"; /bin/chmod +x "$2" ;;
esac
"""


def test_cycle_of_check_real_and_again(tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tools / "go", GO)
    wanted = tmp_path / "cache/binaries/toxiproxy-server/2.5.0-go1.99.1/bin/toxiproxy-server"
    check = run(capsys, check=True, only=["toxiproxy-server"])
    assert (check["changed"], check["binaries"]["toxiproxy-server"]["path"]) == (True, str(wanted))
    assert not (tmp_path / "cache").exists()
    real = run(capsys, only=["toxiproxy-server"])
    assert (real["changed"], wanted.exists()) == (True, True)
    assert real["diff"]["after"] == check["diff"]["after"] == {"toxiproxy-server": "2.5.0, built from source by go1.99.1"}
    for again in (run(capsys, only=["toxiproxy-server"]), run(capsys, check=True, only=["toxiproxy-server"])):
        assert again["changed"] is False
        assert again["diff"] == {"before": {}, "after": {}}
        assert again["binaries"] == {
            "toxiproxy-server": {"path": str(wanted), "version": "2.5.0", "source": "built", "detail": "built before"},
        }


def test_a_program_on_the_path_is_used(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tools / "kwok", "#!/bin/sh\necho kwok version v0.8.4\n")
    result = run(capsys, only=["kwok"])
    assert result["changed"] is False
    assert result["binaries"]["kwok"] == {"path": str(tools / "kwok"), "version": "0.8.4", "source": "found", "detail": "found on PATH"}


@pytest.mark.parametrize("check", [True, False])
def test_what_is_missing_fails_alike_in_check_mode(tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], check: bool) -> None:
    result = run(capsys, check=check, only=["kwok", "neo4j"])
    assert result["failed"] is True
    assert len(result["problems"]) == 4
    assert "nothing was built or installed" in result["msg"]
    assert not (tmp_path / "cache").exists()


def test_an_unknown_name_is_refused(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, only=["kwokk"])
    assert result["failed"] is True
    assert "kwokk is not one of" in result["msg"]
