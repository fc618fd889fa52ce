# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of migrations is one line; a database is brought to its end, never past it and never back."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.common.migrations import plan, read_folder


def folder(path: Path, *steps: tuple[str, str | None]) -> Path:
    (path / "versions").mkdir(parents=True)
    (path / "env.py").write_text("", encoding="utf-8")
    for revision, previous in steps:
        text = f'"""Step {revision}.\n\nMore."""\nrevision = {revision!r}\ndown_revision = {previous!r}\nraise RuntimeError("read, not run")\n'
        (path / "versions" / f"{revision}.py").write_text(text, encoding="utf-8")
    return path


def test_one_line_whatever_the_names_of_the_files(tmp_path: Path) -> None:
    line = read_folder(folder(tmp_path / "m", ("b", None), ("c", "b"), ("a", "c")))
    assert [step.revision for step in line] == ["b", "c", "a"]
    assert line[0].title == "Step b."
    fresh = plan(None, line, "db")
    assert ([step.revision for step in fresh.steps], fresh.target) == (["b", "c", "a"], "a")
    assert [step.revision for step in plan("b", line, "db").steps] == ["c", "a"]
    done = plan("a", line, "db")
    assert done.steps == ()
    assert not done.to_exit()["changed"]
    assert done.to_exit()["diff"]["before"] == done.to_exit()["diff"]["after"]
    assert fresh.to_exit()["diff"]["after"]["migrations"] == ["b Step b.", "c Step c.", "a Step a."]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((("a", None), ("b", "a"), ("c", "a")), "both follow a"),
        ((("a", None), ("c", "b")), "c cannot be reached"),
        ((("a", None), ("b", None)), "both follow None"),
        ((), "no migration cannot be reached"),
    ],
)
def test_what_is_no_line_is_refused(steps: tuple[tuple[str, str | None], ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=message):
        read_folder(folder(tmp_path / "m", *steps))


def test_a_folder_of_something_else_and_a_computed_revision(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="no folder of migrations"):
        read_folder(tmp_path)
    made = folder(tmp_path / "m", ("a", None))
    (made / "versions" / "b.py").write_text('revision = str(1)\ndown_revision = "a"\n', encoding="utf-8")
    with pytest.raises(OpsError, match="literals"):
        read_folder(made)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    line = read_folder(folder(tmp_path / "m", ("a", None)))
    with pytest.raises(OpsError, match=r"db is at revision z.*newer release"):
        plan("z", line, "db")


def test_shipped_folders_are_lines() -> None:
    root = Path(__file__).resolve().parents[5]
    for role in ("platform_database", "registry"):
        assert read_folder(root / "roles" / role / "files" / "migrations")
