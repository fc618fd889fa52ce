# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neo4j Community: one server per region, Bolt with authentication."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...common.lazy import LazyModule
from .. import files
from ..binaries.catalogue import NEO4J_JVM_OPTIONS, NEO4J_SERVER_CLASS
from ..part import Part
from ..supervisor import Program
from ..waiting import NotReady

if TYPE_CHECKING:
    import neo4j
    from neo4j import exceptions as neo4j_errors
else:
    neo4j = LazyModule("neo4j")
    neo4j_errors = LazyModule("neo4j.exceptions")

INITIAL_PASSWORD = "neo4j"  # noqa: S105  what every new server has, until it is changed
USERNAME = "neo4j"
JAVA_OPTIONS = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    # Half of a short life is start-up: the first compiler is enough for it, and two servers start on two cores.
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    *NEO4J_JVM_OPTIONS,
)


class Neo4j(Part):
    """The Java server, run by the launcher that the binaries come with."""

    component = "neo4j"
    system = "neo4j"
    start_timeout = 240.0
    grace = 60.0

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("neo4j", self.region),)

    @property
    def address(self) -> str:
        return f"bolt://localhost:{self.ports[0]}"

    def prepare(self) -> list[str]:
        owner = self.account
        done = []
        for folder in (self.home, *(self.home / name for name in ("conf", "data", "logs", "run", "import", "plugins"))):
            if files.directory(folder, 0o700, owner):
                done.append(f"{folder.name} made")
        if files.write(self._configuration_file, self._configuration(), 0o600, owner):
            done.append("configuration written")
        return done

    @property
    def _configuration_file(self) -> Path:
        return self.home / "conf" / "neo4j.conf"

    def _configuration(self) -> str:
        values: dict[str, object] = {
            "server.directories.data": self.home / "data",
            "server.directories.logs": self.home / "logs",
            "server.directories.run": self.home / "run",
            "server.directories.import": self.home / "import",
            "server.directories.plugins": self.home / "plugins",
            "server.default_listen_address": "127.0.0.1",
            "server.default_advertised_address": "localhost",
            "server.bolt.enabled": "true",
            "server.bolt.listen_address": f"127.0.0.1:{self.ports[0]}",
            "server.bolt.advertised_address": f"localhost:{self.ports[0]}",
            "server.http.enabled": "false",
            "server.https.enabled": "false",
            "server.memory.pagecache.size": "32m",
            # Logs of a quarter of a GiB are set aside per database otherwise.
            "db.tx_log.preallocate": "false",
            "db.tx_log.rotation.size": "16m",
            "dbms.security.auth_enabled": "true",
            "dbms.usage_report.enabled": "false",
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def program(self) -> Program:
        classpath = f"{self.context.binary('neo4j')}/*"
        argv = (str(self.context.binary("java")), *JAVA_OPTIONS, "-cp", classpath, NEO4J_SERVER_CLASS, str(self.home), str(self._configuration_file))
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name, stop_seconds=20)

    def _version(self, password: str, timeout: float) -> str:
        with (
            neo4j.GraphDatabase.driver(
                self.address,
                auth=(USERNAME, password),
                connection_timeout=timeout,
                connection_acquisition_timeout=timeout,
                max_transaction_retry_time=0,
                telemetry_disabled=True,
            ) as driver,
            driver.session(database="system") as session,
        ):
            record = session.run(neo4j.Query("CALL dbms.components() YIELD versions RETURN versions[0] AS version", timeout=timeout)).single(strict=True)
            return str(record["version"])

    @property
    def _password(self) -> str:
        return str(self.context.secrets["neo4j"][self.region])

    def probe(self, timeout: float = 5.0) -> str:
        try:
            return self._version(self._password, timeout)
        except (neo4j_errors.DriverError, neo4j_errors.Neo4jError, OSError) as error:
            raise NotReady(f"Neo4j in {self.region} does not answer: {error}") from error

    def ready(self) -> None:
        """It also counts as ready when only the password is still the one it was made with; ``configure`` changes that."""
        if (self.home / "password-set").exists():
            self.probe()
            return
        try:
            self._change_password()
        except neo4j_errors.AuthError:
            self.probe()
        except (neo4j_errors.DriverError, neo4j_errors.Neo4jError, OSError) as error:
            raise NotReady(f"Neo4j in {self.region} does not answer: {error}") from error

    def _change_password(self) -> None:
        with (
            neo4j.GraphDatabase.driver(
                self.address, auth=(USERNAME, INITIAL_PASSWORD), connection_timeout=5.0, max_transaction_retry_time=0, telemetry_disabled=True
            ) as driver,
            driver.session(database="system") as session,
        ):
            session.run("ALTER CURRENT USER SET PASSWORD FROM $old TO $new", old=INITIAL_PASSWORD, new=self._password).consume()

    def configure(self) -> list[str]:
        self.probe()
        return ["password set"] if files.write(self.home / "password-set", "", 0o600, self.account) else []
