# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members in a folder: what was written is read, half of one is none, and no name leads out."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.tenant_data.folder import Folder


def test_what_was_written_is_read_and_only_its_owner_may(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "dump")
    with folder.writing("postgresql/rows/projects.copy") as member:
        member.write(b"one\n")
        member.write(b"two\n")
    assert folder.names == ["postgresql/rows/projects.copy"]
    with folder.reading("postgresql/rows/projects.copy") as member:
        assert member.read() == b"one\ntwo\n"
    assert stat.S_IMODE((tmp_path / "dump/postgresql/rows/projects.copy").stat().st_mode) == 0o600


def test_half_a_member_is_none_and_can_be_written_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    def half() -> None:
        with folder.writing("keys") as member:
            member.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert folder.names == []
    with folder.writing("keys") as member:
        member.write(b"whole")
    assert folder.names == ["keys"]


def test_a_name_is_used_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.writing("keys"):
        pass
    with pytest.raises(FileExistsError, match="is there already"), folder.writing("keys"):
        pass


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "A", "a b", "a\n", "ä", "a/", "x~", "a/b/c/d/e/f/g", "a" * 101])
def test_no_name_leads_out(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / "dump")
    with pytest.raises(ValueError, match="cannot be the name"), folder.writing(name):
        pass
    with pytest.raises(ValueError, match="cannot be the name"), folder.reading(name):
        pass
    assert list(tmp_path.rglob("*")) == []
