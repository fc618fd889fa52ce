# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts reports where people and machines find them. A reader never sees half a file."""

from __future__ import annotations

import json
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from ..common.errors import OpsError
from .html import render
from .model import Report

PRIVATE = 0o640
# For what only its owner is to see.
SECRET = 0o600
# For files that another account's program collects, and that hold nothing but figures and names of checks.
READABLE = 0o644


def now() -> str:
    """The time as reports write it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _put(path: Path, content: str | bytes, permissions: int = PRIVATE) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, permissions)
        with os.fdopen(descriptor, "wb") as file:
            if permissions == READABLE:
                os.fchmod(file.fileno(), permissions)  # whatever the umask takes away
            file.write(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def target(report: Report, directory: str | Path) -> Path:
    """Where the JSON file of a report goes: ``<directory>/<operation>/<UTC time>-<run id>.json``; in check mode ``-<run id>-check.json``."""
    stamp = re.sub(r"[^0-9TZ]", "", report.started)
    run = re.sub(r"[^A-Za-z0-9_-]", "_", report.run_id)
    return Path(directory) / report.operation / f"{stamp}-{run}{'-check' if report.check_mode else ''}.json"


def put(path: Path, content: str | bytes, setting: str, permissions: int = PRIVATE) -> Path:
    """Write one file so that a reader never sees half of it. Raises OpsError naming the inventory's ``setting`` if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(path, content, permissions)
    except OSError as error:
        raise OpsError(f"{path} cannot be written: {error.strerror or error}. Set {setting} to a place that can be written.") from error
    return path


def write(report: Report, directory: str | Path, html: str | None = None) -> Path:
    """Write the JSON file and, beside it, the HTML file and, unless in check mode, ``latest.*``; return the JSON file's path.

    ``html`` is the page if it is not the usual one. Raises OpsError naming the directory if it cannot be written.
    """
    path = target(report, directory)
    page = render(report) if html is None else html
    texts = {".json": json.dumps(report.to_mapping(), ensure_ascii=False, indent=1) + "\n", ".html": page}
    names = [path.stem] if report.check_mode else [path.stem, "latest"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for name in names:
            for suffix, text in texts.items():
                _put(path.with_name(f"{name}{suffix}"), text)
    except OSError as error:
        why = error.strerror or str(error)
        raise OpsError(f"The report cannot be written to {path.parent}: {why}. Set report_dir to a directory that can be written.") from error
    return path
