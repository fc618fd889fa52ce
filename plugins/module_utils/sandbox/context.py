# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of a sandbox is given: places, ports, programs, secrets, certificates."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..common.errors import OpsError
from . import credentials, files, pki
from .settings import MARKER, REGIONS, Settings, marker_text

# A Unix socket's path has room for 107 bytes, and PostgreSQL's own name in the folder takes some of them.
SOCKET_FOLDER_LIMIT = 85


@dataclass
class Context:
    """One sandbox as its parts see it. ``binaries`` maps a program's name to where it was found or built."""

    settings: Settings
    binaries: Mapping[str, str] = field(default_factory=dict)
    # The tenants that synthetic traffic acts for; None when there is no traffic.
    traffic: tuple[str, ...] | None = None
    _reachable: dict[str, Path] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.binaries and self._binaries_file.is_file():
            self.binaries = json.loads(self._binaries_file.read_text())
        if self.traffic is None and self._traffic_file.is_file():
            self.traffic = tuple(json.loads(self._traffic_file.read_text()))

    @property
    def _binaries_file(self) -> Path:
        return self.data / "binaries.json"

    @property
    def _traffic_file(self) -> Path:
        return self.data / "traffic.json"

    @property
    def data(self) -> Path:
        """The folder of everything that servers own."""
        return self.settings.data

    @cached_property
    def secrets(self) -> dict[str, Any]:
        """All secrets; see credentials.py for their shape."""
        return credentials.load(self.secrets_file)

    @property
    def secrets_file(self) -> Path:
        """Where the secrets are kept, beside the data that they open."""
        return self.data / "secrets.json"

    @property
    def run(self) -> Path:
        """The folder of sockets; elsewhere when the data's path is too long for a socket's name."""
        inside = self.data / "run"
        if len(str(inside)) <= SOCKET_FOLDER_LIMIT:
            return inside
        return Path(tempfile.gettempdir()) / f"leanvibe-sandbox-{os.geteuid()}-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}"

    @property
    def supervisor_socket(self) -> Path:
        """supervisord's socket."""
        return self.run / "supervisor.sock"

    @property
    def authority(self) -> pki.Authority:
        """Signs what clients of the platform's systems verify; published as ``ca.crt``."""
        return pki.Authority(self.data / "pki" / "platform", f"LeanVibe sandbox {self.settings.name}")

    def cluster_authority(self, purpose: str, region: str) -> pki.Authority:
        """The authority ``purpose`` (``kubernetes`` or ``etcd``) of one cluster. Apart, so that a cluster's clients cannot open its etcd."""
        return pki.Authority(self.data / "pki" / f"{purpose}-{region}", f"{purpose} {region} {self.settings.name}")

    @property
    def ca_file(self) -> Path:
        """The platform authority's certificate, readable by everybody."""
        return self.data / "ca.crt"

    def port(self, what: str, region: str | None) -> int:
        """See Settings.port."""
        return self.settings.port(what, region)

    def home(self, component: str, region: str | None) -> Path:
        """The folder of a component in a region (``shared`` for what has none)."""
        return self.data / (region or "shared") / component

    def binary(self, name: str) -> Path:
        """The program ``name`` at a path where the servers' users reach it. Raises OpsError if it is not known."""
        found = self.binaries.get(name)
        if not found:
            raise OpsError(f"the program {name} is not known: the module sandbox_binaries finds or builds it")
        if name not in self._reachable:
            self._reachable[name] = files.reachable(Path(found), self.data / "programs")
        return self._reachable[name]

    def source(self, name: str) -> Path:
        """The folder of the sources of a service of ours, which runs as the caller. Raises OpsError if it is not known."""
        found = self.binaries.get(name)
        if not found:
            raise OpsError(f"the folder of {name} is not known: the role leanvibe.ops.sandbox gives it along with the programs (playbooks/sandbox_up.yml)")
        return Path(found)

    def _keep_traffic(self) -> bool:
        if self.traffic is not None:
            return files.write(self._traffic_file, json.dumps(list(self.traffic)) + "\n", 0o644)
        there = self._traffic_file.exists()
        self._traffic_file.unlink(missing_ok=True)
        return there

    def prepare(self) -> bool:
        """Make the folders, the marker, the secrets and the authorities. True if anything was missing."""
        closed = files.first_closed(self.data.parent) if os.geteuid() == 0 and self.data.parent.exists() else None
        if closed is not None:
            raise OpsError(f"the servers run as users of their own and cannot pass {closed}: choose another place with -e sandbox_data_dir=…")
        changed = files.directory(self.data, 0o755)
        changed |= files.write(self.data / MARKER, marker_text(self.settings), 0o644)
        changed |= files.write(self._binaries_file, json.dumps(dict(self.binaries), indent=2, sort_keys=True) + "\n", 0o644)
        changed |= self._keep_traffic()
        # postgres puts its socket here, supervisord (the caller's) too; the sticky bit keeps them apart.
        changed |= files.directory(self.run, 0o1777 if os.geteuid() == 0 else 0o700)
        for folder in (self.data / "logs", self.data / "pki"):
            changed |= files.directory(folder)
        for name in (*REGIONS, "shared"):
            changed |= files.directory(self.data / name, 0o755)
        self.__dict__["secrets"], written = credentials.ensure(self.secrets_file)
        changed |= written | self.authority.ensure()
        changed |= files.write(self.ca_file, self.authority.pair.certificate.read_bytes(), 0o644)
        return changed

    def server_pair(self, component: str, region: str | None) -> pki.Pair:
        """Where a component's certificate for ``localhost`` lies."""
        home = self.home(component, region)
        return pki.Pair(home / "tls" / "server.crt", home / "tls" / "server.key")

    def issue_server(self, component: str, region: str | None, owner: files.Account) -> bool:
        """Give a component its certificate for ``localhost``; True if it is new."""
        return self.authority.issue(self.server_pair(component, region), "localhost", names=pki.LOOPBACK, owner=owner)
