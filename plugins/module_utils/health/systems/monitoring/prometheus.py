# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus itself: whether it is up, works by the configuration that was written for it, and can keep what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....reports.model import CRITICAL
from ... import clocks
from ...model import Finding, NoData, Threshold
from ...reading import option
from . import server
from .server import WINDOW, Run, ask, check, data_of, fine, own_figure, promql

# What must not fail while samples are written and kept.
_WRITES = ("wal_writes_failed", "wal_truncations_failed", "checkpoint_creations_failed", "head_truncations_failed", "compactions_failed", "reloads_failures")


def runtime(session: Run) -> dict[str, Any]:
    """What it says about how it runs. Raises NoData if it is no Prometheus."""
    found = data_of(session, "/api/v1/status/runtimeinfo")
    if not isinstance(found, dict) or "reloadConfigSuccess" not in found:
        raise NoData(f"{session.client.web.base} does not say how it runs: it is no Prometheus")
    return found


def _up(session: Run) -> Iterator[Finding]:
    found = server.up(session, "")
    if found.verdict is None:
        runtime(session)  # whatever else answers at that address is not taken for a Prometheus that is ready
    yield found


def _config(session: Run) -> Iterator[Finding]:
    told = runtime(session)
    if told["reloadConfigSuccess"] is not True:
        yield Finding(verdict=CRITICAL, message=f"the last reload of its configuration failed; it works by that of {told.get('lastConfigTime')}")
    else:
        yield fine(f"its configuration is that of {told.get('lastConfigTime')}")


def _clock(session: Run) -> Iterator[Finding]:
    yield clocks.seen(session, "monitoring.prometheus_clock", server.ahead(session)[1])


def _size(session: Run) -> Finding:
    """Where data are kept for a time, reaching the size means that they are not; where a size is all that was set, it is meant to be reached."""
    kept = str(runtime(session).get("storageRetention"))
    used = own_figure(session, "prometheus_tsdb_storage_blocks_bytes")
    limit = own_figure(session, "prometheus_tsdb_retention_limit_bytes")
    said = f"{used / 2**20:.0f} MiB are used, kept are {kept}"
    if limit <= 0 or " or " not in kept:
        return fine(said, name="size")
    return Finding(observed=round(100 * used / limit, 1), name="size", capacity=100, message=f"{said}; at that size, the oldest go before their time")


def _series(session: Run) -> Finding:
    """What it holds in memory."""
    count = own_figure(session, "prometheus_tsdb_head_series")
    limit = option(session, "max_series", int, 0)
    if limit <= 0:
        return fine(f"{count:.0f} series are in memory", count, unit="series", name="series")
    return Finding(observed=round(100 * count / limit, 1), name="series", capacity=100, message=f"{count:.0f} of {limit} series are in memory")


def _storage(session: Run) -> Iterator[Finding]:
    corrupt = runtime(session).get("corruptionCount")
    if not isinstance(corrupt, int):
        raise NoData(f"{session.client.web.base} does not say whether its store is damaged")
    if corrupt:
        yield Finding(observed=corrupt, unit="damages", verdict=CRITICAL, name="corruption", message=f"{corrupt} damage(s) were found in its log of samples")
    else:
        yield fine("no damage was found in its log of samples", 0, unit="damages", name="corruption")
    yield _size(session)
    yield _series(session)


def _writes(session: Run) -> Iterator[Finding]:
    """Asked for one by one and put together: a function of several metrics at once would lose their names."""
    parts = (f'label_replace(increase(prometheus_tsdb_{name}_total[{WINDOW}]), "what", "{name}", "", "")' for name in _WRITES)
    found = ask(session, " or ".join(parts))
    if not found:
        raise NoData("no series prometheus_tsdb_…_failed_total: nothing was measured, which is not 0 (Prometheus must scrape itself)")
    bad = {labels["what"]: value for labels, value in found if value > 0}
    for name, value in sorted(bad.items()):
        message = f"{value:.0f} in {WINDOW}: samples may be lost; a full disk is the usual reason"
        yield Finding(observed=round(value, 1), unit="failures", verdict=CRITICAL, name=name, message=message)
    if not bad:
        yield fine(f"of {len(found)} kinds of writing none failed in {WINDOW}", 0, unit="failures")


CHECKS = (
    server.certificate_check("prometheus_certificate", "Prometheus'", "PROMETHEUS"),
    check("prometheus", "Does Prometheus answer, and is it ready?", _up, "curl -s PROMETHEUS/-/ready", server.UP),
    check("prometheus_clock", "How far is Prometheus' clock from ours?", _clock, f"{promql('time()')}; date -u +%s", clocks.THRESHOLD),
    check("prometheus_config", "Does Prometheus work by the configuration that was written last?", _config, "curl -s PROMETHEUS/api/v1/status/runtimeinfo"),
    check(
        "storage",
        "Is there room for what Prometheus is to keep, and is it whole?",
        _storage,
        "curl -s PROMETHEUS/api/v1/status/runtimeinfo; curl -s PROMETHEUS/metrics | grep prometheus_tsdb_",
        Threshold(degraded=90, unit="%", source="ours: beyond the size data go before their time; beyond the series it has no memory"),
    ),
    check(
        "writes",
        "Does Prometheus manage to write what it reads?",
        _writes,
        promql(f'increase({{__name__=~"prometheus_tsdb_.+(_failed|failures)_total"}}[{WINDOW}])'),
    ),
)
