# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where builds are kept, so that nothing is built twice and nothing half-built is ever used."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .catalogue import Component

RECORD = "build.json"
PARTIAL = ".partial-"


def default_root(environment: Mapping[str, str]) -> Path:
    """LEANVIBE_OPS_CACHE, else leanvibe.ops below XDG_CACHE_HOME, else below ~/.cache."""
    if environment.get("LEANVIBE_OPS_CACHE"):
        return Path(environment["LEANVIBE_OPS_CACHE"]).expanduser().absolute()
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".cache")
    return Path(base).expanduser().absolute() / "leanvibe.ops"


@dataclass(frozen=True)
class Cache:
    """Builds below ``root``: ``binaries/<name>/<version>-<toolchain>/``, with the record of the build in ``build.json``."""

    root: Path

    @property
    def binaries(self) -> Path:
        """The folder of all builds."""
        return self.root / "binaries"

    def folder(self, component: Component, toolchain: str) -> Path:
        """Where the build of ``component`` by ``toolchain`` (``go1.26.8``, ``java17``) is, or would be."""
        revision = f"-r{component.revision}" if component.revision > 1 else ""
        return self.binaries / component.name / f"{component.version}{revision}-{toolchain}"

    def log(self, component: Component) -> Path:
        """Where the output of the last build of ``component`` goes."""
        return self.root / "logs" / f"{component.name}-{component.version}.log"

    def built(self, component: Component, toolchain: str | None) -> Path | None:
        """The finished build of ``component`` by ``toolchain``; by any, the newest, when there is no toolchain to ask for. None if there is none."""
        if toolchain is not None:
            candidates = [self.folder(component, toolchain)]
        else:
            prefix = self.folder(component, "").name
            candidates = sorted((path for path in (self.binaries / component.name).glob(f"{prefix}*")), key=lambda path: path.stat().st_mtime, reverse=True)
        return next((path for path in candidates if self._is_finished(component, path)), None)

    @staticmethod
    def _is_finished(component: Component, folder: Path) -> bool:
        return (folder / RECORD).is_file() and all((folder / relative).exists() for relative in component.provides.values())

    @contextmanager
    def building(self, component: Component, toolchain: str) -> Iterator[Path]:
        """A folder to build into; on leaving it without an error it becomes the build, in one step. The caller holds the lock."""
        target = self.folder(component, toolchain)
        target.parent.mkdir(parents=True, exist_ok=True)
        for left_over in target.parent.glob(f"{PARTIAL}*"):
            shutil.rmtree(left_over)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target.parent))
        try:
            partial.chmod(0o755)
            yield partial
            record = {"name": component.name, "version": component.version, "revision": component.revision}
            record |= {"toolchain": toolchain, "licence": component.licence}
            (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
            if target.exists():
                shutil.rmtree(target)
            partial.rename(target)
        finally:
            if partial.exists():
                shutil.rmtree(partial)

    @property
    def lock(self) -> Path:
        """Held by the one who builds into this cache."""
        return self.root / "build.lock"
