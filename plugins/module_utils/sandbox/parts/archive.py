# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WAL archiving by pgBackRest into the region's object store: encrypted, over TLS."""

from __future__ import annotations

from pathlib import Path

from .. import commands, files
from ..part import Part
from .object_store import ObjectStore
from .postgresql import STANZA, Postgresql


class Archive(Part):
    """No server of its own: it gives PostgreSQL's archiver its repository."""

    component = "archive"
    system = "postgresql"

    @property
    def _server(self) -> Postgresql:
        return Postgresql(self.context, self.region)

    @property
    def _store(self) -> ObjectStore:
        return ObjectStore(self.context, self.region)

    @property
    def home(self) -> Path:
        return self.context.home("pgbackrest", self.region)

    def requires(self) -> tuple[str, ...]:
        return (self._server.id, self._store.id)

    def prepare(self) -> list[str]:
        owner = self.account
        done = []
        for folder in (self.home, self.home / "log", self.home / "spool", self.home / "lock"):
            if files.directory(folder, 0o700, owner):
                done.append(f"{folder.name} made")
        if files.write(self._server.backup_configuration, self._configuration(), 0o600, owner):
            done.append("configuration written")
        return done

    def _configuration(self) -> str:
        account = self.context.secrets["object_store"][self.region]["backups"]
        general: dict[str, object] = {
            "repo1-type": "s3",
            "repo1-path": "/pgbackrest",
            "repo1-s3-bucket": self._store.backup_bucket,
            # pgBackRest matches names in a certificate, not addresses.
            "repo1-s3-endpoint": "localhost",
            "repo1-storage-port": self._store.ports[0],
            "repo1-storage-ca-file": self.context.ca_file,
            "repo1-s3-region": self.region,
            "repo1-s3-uri-style": "path",
            "repo1-s3-key": account["access_key_id"],
            "repo1-s3-key-secret": account["secret_access_key"],
            "repo1-cipher-type": "aes-256-cbc",
            "repo1-cipher-pass": self.context.secrets["pgbackrest"]["cipher_pass"],
            "repo1-bundle": "y",
            "repo1-retention-full": 2,
            "compress-type": "lz4",
            "start-fast": "y",
            "process-max": 2,
            "io-timeout": 10,
            "db-timeout": 60,
            "protocol-timeout": 70,
            "archive-timeout": 30,
            "log-level-console": "warn",
            "log-level-file": "info",
            "log-path": self.home / "log",
            "spool-path": self.home / "spool",
            "lock-path": self.home / "lock",
        }
        stanza = {"pg1-path": self._server.data, "pg1-port": self._server.ports[0], "pg1-socket-path": self.context.run, "pg1-user": "postgres"}
        lines = ["[global]", *(f"{key}={value}" for key, value in general.items()), f"[{STANZA}]", *(f"{key}={value}" for key, value in stanza.items())]
        return "\n".join(lines) + "\n"

    def _pgbackrest(self, *arguments: str, timeout: float = 60.0) -> str:
        argv = [str(self.context.binary("pgbackrest")), f"--config={self._server.backup_configuration}", f"--stanza={STANZA}", *arguments]
        return commands.run(argv, account=self.account, directory=self.home, data=self.context.data, timeout=timeout)

    def probe(self, timeout: float = 5.0) -> str:
        return self._pgbackrest("version", timeout=timeout).split()[-1]

    def configure(self) -> list[str]:
        made = self._store.exists(self._store.backup_bucket, f"pgbackrest/archive/{STANZA}/archive.info")
        if made:
            return []
        if self._server.follows:
            # A standby has no primary to ask here; its repository lies ready for the day on which it is promoted.
            self._pgbackrest("--no-online", "stanza-create")
            return ["repository made"]
        self._pgbackrest("stanza-create")
        self._pgbackrest("check")
        return ["repository made and checked"]
