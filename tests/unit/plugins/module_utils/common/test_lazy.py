# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries come when they are used, and a missing one is named with the way out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common import lazy
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.common.lazy import LazyModule

ROOT = Path(__file__).resolve().parents[5]
IMPORT_ALL = """
import importlib, pathlib, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path]
root = pathlib.Path(sys.argv[1])
for path in sorted((root / "plugins/module_utils").rglob("*.py")):
    importlib.import_module("ansible_collections.leanvibe.ops." + ".".join(path.relative_to(root).with_suffix("").parts))
print("all imported")
"""


def test_module_is_imported_at_first_use() -> None:
    assert LazyModule("json").dumps([1]) == "[1]"


def test_missing_library_is_named_with_the_way_out() -> None:
    with pytest.raises(OpsError, match=r"Python package no_such_library .*requirements/runtime.txt"):
        _ = LazyModule("no_such_library.part").anything


def test_an_attribute_that_is_not_there_is_no_missing_library() -> None:
    with pytest.raises(AttributeError):
        _ = LazyModule("json").no_such_name


def test_module_utils_import_without_any_library() -> None:
    outcome = subprocess.run(
        [sys.executable, "-S", "-c", IMPORT_ALL, str(ROOT)],
        env={"PYTHONPATH": str(ROOT / "collections")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.stdout.strip() == "all imported", outcome.stderr


def imported_together(folder: Path, prefix: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What two modules wrote down while two threads imported one each: ``begin`` and ``end``, in the order in which it happened."""
    diary = folder / "diary"
    diary.touch()
    for part in ("one", "two"):
        (folder / f"{prefix}_{part}.py").write_text(
            f"import time\ndef write(word):\n    with open({str(diary)!r}, 'a') as file:\n        file.write(word)\n"
            "write('begin ')\ntime.sleep(0.3)\nwrite('end ')\nVALUE = 1\n",
            encoding="utf-8",
        )
    monkeypatch.syspath_prepend(str(folder))
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda part: LazyModule(f"{prefix}_{part}").VALUE, ("one", "two"))) == [1, 1]
    return diary.read_text(encoding="utf-8").split()


def test_threads_import_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert imported_together(tmp_path, "lazily_in_turn", monkeypatch) == ["begin", "end", "begin", "end"]


def test_without_the_lock_they_would_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_IMPORTING", contextlib.nullcontext())
    assert imported_together(tmp_path, "lazily_at_once", monkeypatch) == ["begin", "begin", "end", "end"]
