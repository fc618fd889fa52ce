# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory tenants use on a Redis node. Measured, not enforced: Redis has no limit per user or prefix.

One pass over at most ``most_keys`` keys whoever owns them; of each tenant's keys the first SAMPLES that turn up are weighed. SCAN goes through
the table of keys in the order of their hashes, so the part that was seen stands for the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ...clients.redis import RedisSession
from ...common.errors import OpsError
from ..arguments import TenantsRequest
from ..model import SystemResult, Tenant

SAMPLES = 50
PAGE = 1000


def measure(session: RedisSession, request: TenantsRequest, answer: SystemResult, most_keys: int) -> None:
    """Add each tenant's use to ``answer.observed`` and say in its notes who is above the tier's number. Raises OpsError."""
    by_prefix = {tenant.redis_prefix: tenant for tenant in request.tenants}
    counts, samples, seen = _scan(session, by_prefix, most_keys)
    total = session.call("DBSIZE")
    scale = max(1.0, int(total) / seen) if isinstance(total, int) and seen else 1.0
    weights = _weigh(session, samples)
    above = []
    for tenant in request.tenants:
        sizes = weights.get(tenant.id, [])
        average = sum(sizes) / len(sizes) if sizes else 0.0
        limit = int(request.limits(tenant, "redis")["memory_bytes"])
        used = round(average * counts[tenant.id] * scale)
        answer.observed.setdefault(tenant.id, {})["memory"] = {
            "bytes": used,
            "keys": round(counts[tenant.id] * scale),
            "limit_bytes": limit,
            "sampled_keys": len(sizes),
            "complete": scale == 1.0,
            "meaning": "measured, not enforced",
        }
        if used > limit:
            above.append(f"{tenant.id} uses about {used} bytes of memory, its tier's number is {limit}")
    answer.requests = session.requests
    found = "; ".join(above) if above else "No tenant is above its number."
    answer.notes.append(f"memory_bytes: measured, not enforced ({seen} of {total} keys seen). {found}")


def _scan(session: RedisSession, by_prefix: Mapping[str, Tenant], most_keys: int) -> tuple[Counter[str], dict[str, list[str]], int]:
    counts: Counter[str] = Counter()
    samples: dict[str, list[str]] = {}
    seen, cursor = 0, "0"
    while True:
        reply = session.call("SCAN", cursor, "COUNT", min(PAGE, max(1, most_keys - seen)))
        if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[1], list):
            raise OpsError(f"{session.where} gave an answer to SCAN that is not known")
        cursor = str(reply[0])
        for key in map(str, reply[1]):
            seen += 1
            owner = by_prefix.get(":".join(key.split(":", 2)[:2]) + ":")
            if owner is not None:
                counts[owner.id] += 1
                if len(kept := samples.setdefault(owner.id, [])) < SAMPLES:
                    kept.append(key)
        if cursor == "0" or seen >= most_keys:
            return counts, samples, seen


def _weigh(session: RedisSession, samples: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Bytes of each sampled key. A key that is gone meanwhile weighs nothing and is left out."""
    pairs = [(owner, key) for owner, keys in samples.items() for key in keys]
    weights: dict[str, list[int]] = {}
    for start in range(0, len(pairs), PAGE):
        part = pairs[start : start + PAGE]
        replies = session.pipeline([("MEMORY", "USAGE", key) for _owner, key in part])
        for (owner, _key), reply in zip(part, replies, strict=True):
            if isinstance(reply, int):
                weights.setdefault(owner, []).append(reply)
            elif reply is not None:
                raise OpsError(f"{session.where} does not weigh keys: {reply}. The account needs MEMORY USAGE to measure.")
    return weights
