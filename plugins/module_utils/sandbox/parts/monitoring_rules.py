# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's few alert rules, and where alerts go. They watch what the sandbox's faults break."""

from __future__ import annotations

from typing import Any


def _alert(name: str, expression: str, seconds: int, severity: str, summary: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": name, "expr": expression, "labels": {"severity": severity}, "annotations": {"summary": summary}}
    # An alert that fires at once must not say for how long it would wait.
    return {**rule, "for": f"{seconds}s"} if seconds else rule


RULES: dict[str, Any] = {
    "groups": [
        {
            "name": "monitoring",
            "rules": [
                # Always firing: what does not arrive at the other end shows that the way is broken.
                _alert("Watchdog", "vector(1)", 0, "none", "The way from Prometheus to Alertmanager works"),
                _alert("TargetDown", "up == 0", 15, "critical", "{{ $labels.job }} in {{ $labels.region }} cannot be scraped"),
            ],
        },
        {
            "name": "systems",
            "rules": [
                _alert("PostgresqlDown", "pg_up == 0", 15, "critical", "PostgreSQL in {{ $labels.region }} does not answer its exporter"),
                _alert("RedisDown", "redis_up == 0", 15, "critical", "Redis in {{ $labels.region }} does not answer its exporter"),
                _alert(
                    "RedisReplicaBroken", "redis_master_link_up == 0", 15, "warning",
                    "The replica in {{ $labels.region }} has lost its primary",
                ),
            ],
        },
        {
            "name": "application",
            "rules": [
                _alert(
                    "BackendErrors",
                    'sum by (region) (rate(leanvibe_http_requests_total{status=~"5..",route!~"/health.*"}[1m]))'
                    " / sum by (region) (rate(leanvibe_http_requests_total[1m])) > 0.05",
                    30, "critical", "More than 5% of the requests in {{ $labels.region }} fail",
                ),
                _alert(
                    "WorkerStalled", "time() - leanvibe_worker_last_done_timestamp_seconds > 60", 15, "warning",
                    "The worker in {{ $labels.region }} has done nothing for a minute",
                ),
                _alert(
                    "HeartbeatStopped", "time() - leanvibe_heartbeat_written_timestamp_seconds > 30", 15, "warning",
                    "The heartbeat of {{ $labels.region }} is not written",
                ),
            ],
        },
    ]
}  # fmt: skip

ROUTING: dict[str, Any] = {
    "route": {"receiver": "nobody", "group_by": ["alertname", "region"], "group_wait": "1s", "group_interval": "5s", "repeat_interval": "1h"},
    "receivers": [{"name": "nobody"}],
}
