# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: takes jobs from its region's queue, gives itself something to do when there is nothing, and writes the replication heartbeat."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import psycopg

from . import metrics, tenants
from .configuration import Configuration
from .database import Sessions, Unavailable
from .store import Store

LOG = logging.getLogger("leanvibe.worker")
HEARTBEAT_SECONDS = 2.0
HOUSEKEEPING_SECONDS = 10.0
RETRY_SECONDS = 2.0
HEARTBEAT = """
INSERT INTO leanvibe_private.heartbeat AS h (region, written_at, sequence) VALUES (%s, clock_timestamp(), 1)
ON CONFLICT (region) DO UPDATE SET written_at = clock_timestamp(), sequence = h.sequence + 1
RETURNING sequence, extract(epoch FROM written_at)::float8 AS written
"""


class Spoken:
    """Says that something fails when it begins to, and when it works again; not each time."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.failing = ""

    def fails(self, error: Exception) -> None:
        """It has failed."""
        if type(error).__name__ != self.failing:
            LOG.warning("%s: %s", self.what, str(error).strip())
        self.failing = type(error).__name__

    def works(self) -> None:
        """It has worked."""
        if self.failing:
            LOG.warning("%s: works again", self.what)
        self.failing = ""


async def beat(sessions: Sessions, region: str) -> None:
    """Write the region's heartbeat row, forever. What reads it compares the rows of primary and standby."""
    spoken = Spoken("heartbeat")
    metrics.shown(metrics.HEARTBEAT_FAILURES)
    while True:
        began = time.monotonic()
        try:
            async with sessions.transaction(None) as connection:
                row = await (await connection.execute(HEARTBEAT, (region,))).fetchone() or {}
            metrics.shown(metrics.HEARTBEAT).set(row["sequence"])
            metrics.shown(metrics.HEARTBEAT_WRITTEN).set(row["written"])
            spoken.works()
        except (Unavailable, psycopg.Error) as error:
            # Also while the migrations have not made the table yet.
            metrics.HEARTBEAT_FAILURES.inc()
            spoken.fails(error)
        await asyncio.sleep(max(0.1, HEARTBEAT_SECONDS - (time.monotonic() - began)))


async def perform(job: dict[str, Any], sessions: Sessions) -> Any:
    """Do one job; returns its result. Raises ValueError for a kind that nobody knows."""
    if job["kind"] == "housekeeping":
        return None
    if job["kind"] == "count_projects":
        async with sessions.transaction(job["tenant"]) as connection:
            return {"projects": await tenants.count_projects(connection, job["tenant"])}
    raise ValueError(f"there is no job of the kind {job['kind']!r}")


async def jobs(store: Store, sessions: Sessions) -> None:
    """Take and do jobs, forever."""
    spoken = Spoken("jobs")
    given_back = False
    next_housekeeping = 0.0
    while True:
        try:
            if not given_back:
                await store.give_back()
                given_back = True
            if time.monotonic() >= next_housekeeping:
                await store.add("housekeeping")
                next_housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
            taken = await store.take()
            if taken is not None:
                await _do(store, sessions, *taken)
            spoken.works()
        except Unavailable as error:
            spoken.fails(error)
            await asyncio.sleep(RETRY_SECONDS)


async def _do(store: Store, sessions: Sessions, raw: str, job: dict[str, Any]) -> None:
    try:
        result, outcome = await perform(job, sessions), "done"
    except (Unavailable, psycopg.Error, ValueError, KeyError) as error:
        LOG.warning("job %s (%s) failed: %s", job.get("id"), job.get("kind"), str(error).strip())
        result, outcome = {"error": type(error).__name__}, "failed"
    await store.done(raw, job, outcome, result)
    metrics.JOBS.labels(job.get("kind", "unknown"), outcome).inc()


async def work(configuration: Configuration) -> None:
    """Everything that the worker does."""
    if configuration.database is None or configuration.heartbeat is None or configuration.cache is None:
        raise ValueError("the worker needs a database, the heartbeat's account and a cache")
    store = Store(configuration.cache, configuration.region)
    sessions, beats = Sessions(configuration.database, "leanvibe-worker"), Sessions(configuration.heartbeat, "leanvibe-heartbeat")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(beat(beats, configuration.region))
            group.create_task(jobs(store, sessions))
    finally:
        await store.close()
        await sessions.close()
        await beats.close()
