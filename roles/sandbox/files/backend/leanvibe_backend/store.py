# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis: jobs wait in a list, their results and the worker's own state are hashes. Writes go to whichever server takes them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .configuration import Cache
from .database import Unavailable

SECONDS = 2.0
RESULT_SECONDS = 600
T = TypeVar("T")


class Store:
    """The servers of both regions. ``own`` is the region's; it may be a replica, which refuses to write."""

    def __init__(self, cache: Cache, region: str) -> None:
        self.region = region
        self._clients = [
            Redis(
                host=host, port=port, username=cache.username, password=cache.password, decode_responses=True, protocol=2,
                socket_timeout=SECONDS, socket_connect_timeout=SECONDS, retry=Retry(NoBackoff(), 0), max_connections=20,
            )
            for host, port in cache.endpoints
        ]  # fmt: skip
        self._writer = 0

    @property
    def own(self) -> Redis:
        """The region's own server."""
        return self._clients[0]

    async def ping(self) -> None:
        """Ask the region's own server. Raises Unavailable."""
        try:
            await self.own.get(f"leanvibe:worker:{self.region}:ping")
        except (exceptions.RedisError, OSError) as error:
            raise Unavailable("cache", str(error) or type(error).__name__) from error

    async def write(self, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Do ``work`` on the server that takes writes. Raises Unavailable with what the last one said."""
        said: Exception = Unavailable("cache", "no server is known")
        for step in range(len(self._clients)):
            number = (self._writer + step) % len(self._clients)
            try:
                result = await work(self._clients[number])
            except (exceptions.RedisError, OSError) as error:
                said = error if step == 0 or not isinstance(error, exceptions.ReadOnlyError) else said
                continue
            self._writer = number
            return result
        raise Unavailable("cache", str(said) or type(said).__name__) from said

    @property
    def queue(self) -> str:
        """The list of jobs of this region."""
        return f"leanvibe:jobs:{self.region}"

    @property
    def worker(self) -> str:
        """The hash in which the worker says how it is."""
        return f"leanvibe:worker:{self.region}"

    async def add(self, kind: str, tenant: str | None = None) -> str:
        """Put a job into the queue; returns its id."""
        job = {"id": str(uuid.uuid4()), "kind": kind, "tenant": tenant, "added": time.time()}

        async def push(client: Redis) -> None:
            if tenant is not None:
                await client.set(self.result(tenant, job["id"]), json.dumps({**job, "state": "waiting"}), ex=RESULT_SECONDS)
            await client.lpush(self.queue, json.dumps(job))

        await self.write(push)
        return str(job["id"])

    @staticmethod
    def result(tenant: str, job: Any) -> str:
        """The key of a job's result, among the tenant's own keys."""
        return f"tenant:{tenant}:job:{job}"

    async def job(self, tenant: str, job: str) -> dict[str, Any] | None:
        """What became of a tenant's job; None if there is none (or it was long ago)."""
        found = await self.write(lambda client: client.get(self.result(tenant, job)))
        return dict(json.loads(found)) if found else None

    async def state(self) -> dict[str, Any]:
        """What the worker last said, and how many jobs wait."""

        async def ask(client: Redis) -> tuple[dict[str, str], int]:
            said = await client.hgetall(self.worker)
            return {str(name): str(value) for name, value in said.items()}, int(await client.llen(self.queue))

        said, waiting = await self.write(ask)
        done = float(said["last_done"]) if "last_done" in said else None
        return {"last_done": done, "done": int(said.get("done", 0)), "failed": int(said.get("failed", 0)), "waiting": waiting}

    async def take(self) -> tuple[str, dict[str, Any]] | None:
        """The next job, kept in a second list until ``done``; None if there is none within a second."""
        raw = await self.write(lambda client: client.blmove(self.queue, f"{self.queue}:active", 1, "RIGHT", "LEFT"))
        return (str(raw), json.loads(raw)) if raw else None

    async def give_back(self) -> int:
        """Put back what a worker that died had taken; returns how many."""

        async def move(client: Redis) -> int:
            count = 0
            while await client.lmove(f"{self.queue}:active", self.queue, "LEFT", "RIGHT"):
                count += 1
            return count

        return await self.write(move)

    async def done(self, raw: str, job: dict[str, Any], outcome: str, result: Any) -> None:
        """A job has ended: ``done`` or ``failed``."""

        async def note(client: Redis) -> None:
            if job.get("tenant"):
                await client.set(self.result(job["tenant"], job["id"]), json.dumps({**job, "state": outcome, "result": result}), ex=RESULT_SECONDS)
            await client.hset(self.worker, mapping={"last_done": repr(time.time()), "last_kind": job["kind"]})
            await client.hincrby(self.worker, outcome, 1)
            await client.lrem(f"{self.queue}:active", 1, raw)

        await self.write(note)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()
