# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis: a primary in the first region, a replica in the other; users in an ACL file, an append-only file on disk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ...common.lazy import LazyModule
from ...health.systems.redis_rights import READ_ONLY_RULES
from .. import files
from ..part import Part
from ..settings import REGIONS
from ..supervisor import Program
from ..waiting import NotReady
from .toxiproxy import Toxiproxy

if TYPE_CHECKING:
    import redis
else:
    redis = LazyModule("redis")

PRIMARY_REGION = REGIONS[0]
MAXIMUM_MEMORY = "256mb"
# The application acts for all tenants and for the platform, and needs no command that tells about other keys or changes the server.
APPLICATION_RULES = (
    "resetchannels ~tenant:* ~leanvibe:* &tenant:* &leanvibe:* "
    "-@all +@read +@write +@connection +@transaction +@pubsub +eval +evalsha +script|load "
    "-@dangerous -@admin -scan -randomkey -dbsize"
)
RULES = {
    "operations": "~* &* +@all",
    "application": APPLICATION_RULES,
    "health": READ_ONLY_RULES,
    "replication": "resetchannels -@all +psync +replconf +ping",
    # What the exporter asks for: no keys, and not CONFIG, which shows passwords.
    "monitoring": "resetchannels -@all +ping +info +select +client|setname +slowlog|len +slowlog|get +latency|latest",
}


class Redis(Part):
    """One server. Its files are written once: operations change users (ACL SAVE) and roles (CONFIG REWRITE) in them."""

    component = "redis"
    system = "redis"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("redis", self.region), self.context.port("redis_tls", self.region))

    @property
    def other(self) -> Redis:
        """The server of the other region."""
        return Redis(self.context, next(region for region in REGIONS if region != self.region))

    def requires(self) -> tuple[str, ...]:
        return () if self.region == PRIMARY_REGION else (Toxiproxy(self.context, self.region).id, self.other.id)

    def prepare(self) -> list[str]:
        owner = self.account
        done = ["folder made"] if files.directory(self.home, 0o700, owner) | files.directory(self.home / "data", 0o700, owner) else []
        if self.context.issue_server(self.component, self.region, owner):
            done.append("certificate made")
        for name, content in {"users.acl": self._users(), "redis.conf": self._configuration()}.items():
            if not (self.home / name).exists():
                files.write(self.home / name, content, 0o600, owner)
                done.append(f"{name} written")
        return done

    def _users(self) -> str:
        lines = ["user default off resetkeys resetchannels -@all"]
        for name, password in self.context.secrets["redis"].items():
            lines.append(f"user {name} on #{hashlib.sha256(password.encode()).hexdigest()} {RULES[name]}")
        return "\n".join(lines) + "\n"

    def _configuration(self) -> str:
        pair = self.context.server_pair(self.component, self.region)
        values: list[tuple[str, object]] = [
            ("bind", "127.0.0.1"),
            ("port", self.ports[0]),
            ("tls-port", self.ports[1]),
            ("tls-cert-file", pair.certificate),
            ("tls-key-file", pair.key),
            ("tls-ca-cert-file", self.context.ca_file),
            ("tls-auth-clients", "no"),
            ("daemonize", "no"),
            ("dir", self.home / "data"),
            ("aclfile", self.home / "users.acl"),
            ("appendonly", "yes"),
            ("appendfsync", "everysec"),
            ("maxmemory", MAXIMUM_MEMORY),
            # Eviction would let one tenant push out another's keys.
            ("maxmemory-policy", "noeviction"),
            # The title would take the place of the environment, by which the sandbox knows its processes.
            ("set-proc-title", "no"),
            ("masteruser", "replication"),
            ("masterauth", self.context.secrets["redis"]["replication"]),
            ("repl-timeout", 10),
            ("repl-ping-replica-period", 2),
            ("repl-diskless-sync-delay", 0),
            ("shutdown-timeout", 2),
        ]
        if self.region != PRIMARY_REGION:
            values.append(("replicaof", f"localhost {self.context.port('link_redis', self.region)}"))
        return "".join(f"{key} {value}\n" for key, value in values)

    def program(self) -> Program:
        argv = (str(self.context.binary("redis-server")), str(self.home / "redis.conf"))
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name)

    def _client(self, timeout: float) -> redis.Redis:
        return redis.Redis(
            host="localhost",
            port=self.ports[0],
            username="operations",
            password=self.context.secrets["redis"]["operations"],
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
        )

    def _ask(self, section: str, timeout: float) -> dict[str, object]:
        client = self._client(timeout)
        try:
            return dict(client.info(section))
        except (redis.RedisError, OSError) as error:
            raise NotReady(f"Redis in {self.region} does not answer: {error}") from error
        finally:
            client.close()

    def probe(self, timeout: float = 5.0) -> str:
        return str(self._ask("server", timeout)["redis_version"])

    def ready(self) -> None:
        found = self._ask("replication", 5.0)
        if found["role"] == "slave" and found["master_link_status"] != "up":
            raise NotReady(f"the replica in {self.region} does not follow its primary yet")

    def configure(self) -> list[str]:
        """The ACL file is written once: users that came later are made on the running server."""
        client = self._client(5.0)
        try:
            there = {str(name) for name in client.acl_users()}
            missing = [name for name in self.context.secrets["redis"] if name not in there]
            for name in missing:
                password = f"#{hashlib.sha256(self.context.secrets['redis'][name].encode()).hexdigest()}"
                client.execute_command("ACL", "SETUSER", name, "reset", "on", password, *RULES[name].split())  # type: ignore[no-untyped-call]
            if missing:
                client.acl_save()
            return [f"user {name} made" for name in missing]
        finally:
            client.close()
