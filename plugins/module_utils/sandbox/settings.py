# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sandbox lives: its folder, its data, its ports. Nothing here touches the disk except the marker file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ..common.errors import InvalidInput, OpsError

REGIONS = ("us-east-1", "us-west-2")
DEFAULT_PORT_BASE = 21000
SYSTEM_DATA = Path("/var/lib/leanvibe-sandbox")
MARKER = "leanvibe-sandbox.json"
# A region takes a hundred ports, what both share takes the third hundred; all below the range that the kernel hands out.
PORT_SPAN = 300
EPHEMERAL_PORTS_BEGIN = 32768
PORTS = {
    "etcd": 1,
    "etcd_peer": 2,
    "kube_apiserver": 3,
    "kube_controller_manager": 4,
    "kube_scheduler": 5,
    "kwok": 6,
    "postgresql": 10,
    "pgbouncer": 11,
    "redis": 12,
    "redis_tls": 13,
    "neo4j": 14,
    "object_store": 16,
    "toxiproxy": 20,
    "front_pgbouncer": 31,
    "front_redis": 32,
    "front_neo4j": 34,
    "front_object_store": 36,
    "front_backend": 38,
    "link_postgresql": 40,
    "link_redis": 42,
    "backend": 50,
    "worker": 51,
    "prometheus": 60,
    "alertmanager": 61,
    "node_exporter": 62,
    "postgres_exporter": 63,
    "redis_exporter": 64,
}
SHARED_PORTS = {"aws": 0, "stripe_mock": 1, "stripe_mock_tls": 3, "traffic": 2}


@dataclass(frozen=True)
class Settings:
    """One sandbox: ``directory`` is what people read (``.sandbox``), ``data`` is what the servers own."""

    directory: Path
    data: Path
    port_base: int

    @property
    def name(self) -> str:
        """A name that is unique on this machine and tells which checkout it belongs to."""
        return sandbox_name(self.directory)

    def port(self, what: str, region: str | None) -> int:
        """The TCP port of ``what`` (a key of PORTS, or of SHARED_PORTS when ``region`` is None)."""
        if region is None:
            return self.port_base + 100 * len(REGIONS) + SHARED_PORTS[what]
        return self.port_base + 100 * REGIONS.index(region) + PORTS[what]


def sandbox_name(directory: Path) -> str:
    """``<folder above>-<8 hex digits of the path>``: stable for a folder, different for two checkouts of the same name."""
    parent = re.sub(r"[^a-z0-9]+", "-", directory.parent.name.lower()).strip("-") or "root"
    return f"{parent[:24]}-{hashlib.sha256(str(directory).encode()).hexdigest()[:8]}"


def resolve(directory: str, data: str | None, port_base: int | None, *, root: bool | None = None) -> Settings:
    """Settings from the role's inputs; an existing sandbox keeps its data folder and its ports.

    Raises InvalidInput for ports that do not fit and OpsError when the inputs contradict the sandbox that is there.
    """
    folder = Path(directory).expanduser().resolve()
    as_root = os.geteuid() == 0 if root is None else root
    default = SYSTEM_DATA / sandbox_name(folder) if as_root else folder / "data"
    place = Path(data).expanduser().resolve() if data else default
    known = read_marker(place)
    if known and known.directory != folder:
        raise OpsError(f"{place} holds the data of another sandbox, {known.directory}: give this one its own folder with -e sandbox_data_dir=…")
    if known and port_base not in (None, known.port_base):
        raise OpsError(
            f"the sandbox in {folder} was made on port base {known.port_base}, not {port_base}: leave sandbox_port_base out, "
            "or take it down with -e sandbox_purge=true first"
        )
    base = known.port_base if known else (port_base or DEFAULT_PORT_BASE)
    if not 1024 <= base <= EPHEMERAL_PORTS_BEGIN - PORT_SPAN:
        raise InvalidInput(
            "sandbox", [f"sandbox_port_base is {base}: it must lie between 1024 and {EPHEMERAL_PORTS_BEGIN - PORT_SPAN}, {PORT_SPAN} ports follow it"]
        )
    return Settings(directory=folder, data=place, port_base=base)


def read_marker(data: Path) -> Settings | None:
    """What the marker file says about the sandbox whose data lie in ``data``; None if there is no marker."""
    try:
        stored = json.loads((data / MARKER).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OpsError(f"{data / MARKER} cannot be read ({error}): it says whose data these are; restore it or remove the folder by hand") from error
    return Settings(directory=Path(stored["directory"]), data=data, port_base=int(stored["port_base"]))


def marker_text(settings: Settings) -> str:
    """The contents of the marker file of ``settings``."""
    return json.dumps({key: str(value) if isinstance(value, Path) else value for key, value in asdict(settings).items()}, indent=2) + "\n"
