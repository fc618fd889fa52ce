# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the sandbox: written only when they differ, owned by the server that reads them."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import OpsError


@dataclass(frozen=True)
class Account:
    """A system user that a server runs as; ``name`` is None when it simply runs as the caller."""

    name: str | None
    uid: int
    gid: int


# PostgreSQL and PgBouncer refuse to run as root; the others need no rights of root either.
ACCOUNTS = {"postgresql": "postgres", "pgbouncer": "postgres", "redis": "redis"}
DEFAULT_ACCOUNT = "nobody"
# Python programs that need the environment of the checkout, which other users may not reach.
RUN_AS_CALLER = frozenset({"aws", "backend"})


def account_of(system: str) -> Account:
    """The user that ``system`` runs as: its own when the caller is root, else the caller. Raises OpsError if it does not exist."""
    if os.geteuid() != 0 or system in RUN_AS_CALLER:
        return Account(None, os.geteuid(), os.getegid())
    name = ACCOUNTS.get(system, DEFAULT_ACCOUNT)
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise OpsError(f"{system} is to run as the system user {name}, which does not exist: install its Debian package") from error
    return Account(name, entry.pw_uid, entry.pw_gid)


def write(path: Path, content: str | bytes, mode: int = 0o600, owner: Account | None = None) -> bool:
    """Make ``path`` hold ``content`` with ``mode`` and ``owner``; atomic. True if anything had to change."""
    data = content.encode() if isinstance(content, str) else content
    uid, gid = (owner.uid, owner.gid) if owner else (os.geteuid(), os.getegid())
    with contextlib.suppress(FileNotFoundError):
        here = path.stat()
        if (stat.S_IMODE(here.st_mode), here.st_uid, here.st_gid) == (mode, uid, gid) and path.read_bytes() == data:
            return False
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), uid, gid)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
    return True


def directory(path: Path, mode: int = 0o700, owner: Account | None = None) -> bool:
    """Make ``path`` a folder with ``mode`` and ``owner``, with folders above it that everybody may pass. True if anything changed."""
    uid, gid = (owner.uid, owner.gid) if owner else (os.geteuid(), os.getegid())
    changed = False
    if not path.is_dir():
        for above in reversed(path.parents):
            if not above.exists():
                above.mkdir(mode=0o755)
        path.mkdir(mode=mode)
        changed = True
    here = path.stat()
    if stat.S_IMODE(here.st_mode) != mode:
        path.chmod(mode)
        changed = True
    if os.geteuid() == 0 and (here.st_uid, here.st_gid) != (uid, gid):
        os.chown(path, uid, gid)
        changed = True
    return changed


def first_closed(path: Path) -> Path | None:
    """The first folder on the way to ``path`` that other users may not pass, or None when they can reach it."""
    for above in [*reversed(path.resolve().parents), path]:
        if above.is_dir() and not above.stat().st_mode & stat.S_IXOTH:
            return above
    return None


def reachable(source: Path, shelter: Path) -> Path:
    """A path at which every user can read ``source`` (a program, or a folder of archives).

    That is ``source`` itself if the caller is not root or nothing is closed on the way; else hard links below ``shelter``
    (copies when that is another file system).
    """
    if os.geteuid() != 0 or first_closed(source.parent) is None:
        return source
    target = shelter.joinpath(*source.parent.parts[-3:]) / source.name
    for origin, place in _tree(source, target):
        if place.exists() and place.stat().st_size == origin.stat().st_size:
            continue
        directory(place.parent, 0o755)
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
        try:
            os.link(origin.resolve(), place)
        except OSError:
            shutil.copy2(origin, place)
    return target


def _tree(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    if source.is_file():
        yield source, target
        return
    for origin in sorted(source.rglob("*")):
        if origin.is_file():
            yield origin, target / origin.relative_to(source)
