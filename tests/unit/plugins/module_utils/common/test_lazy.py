# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries come when they are used, and a missing one is named with the way out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
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


def both(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Import a package that imports its part, and that part, at the same time; return what went wrong."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text(f"import time\ntime.sleep(0.4)\nimport {name}.part\nVALUE = 1\n", encoding="utf-8")
    (package / "part.py").write_text("VALUE = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    errors: list[BaseException] = []

    def use(module: LazyModule) -> None:
        try:
            assert module.VALUE == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(LazyModule(what),)) for what in (name, f"{name}.part")]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join(timeout=30)
    return errors


def test_threads_may_import_a_package_and_its_part_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert both(tmp_path, "imported_in_turn", monkeypatch) == []


def test_without_the_lock_they_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_IMPORTING", contextlib.nullcontext())
    assert "deadlock detected" in str(both(tmp_path, "imported_at_once", monkeypatch))
