# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members as files of a folder, for its owner only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .model import MEMBER

PART = "~"  # not in MEMBER


def _path(folder: Path, name: str) -> Path:
    if not MEMBER.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a member")
    return folder / name


class Folder:
    """A Sink and a Source. What was begun and not ended is no member."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def names(self) -> Sequence[str]:
        """All members, in order."""
        found = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        return sorted(name for name in found if not name.endswith(PART))

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A new member. Raises FileExistsError if there is one of that name."""
        path = _path(self.folder, name)
        if path.exists():
            raise FileExistsError(f"{path} is there already")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(path.name + PART)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """A member. Raises FileNotFoundError."""
        with _path(self.folder, name).open("rb") as file:
            yield file
