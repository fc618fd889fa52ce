# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of the monitoring look with: the HTTP APIs of Prometheus and of Alertmanager, which only read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from ....clients.web import Answer, Web
from ....common.errors import AccessDenied
from ....reports.model import CRITICAL, OK
from ... import clocks
from ...model import Check, Finding, NoData, NotApplicable, Session, Threshold
from ...reading import json_of, vector
from ..answers import certificate, json_answer, metrics, unexpected, words
from ..expiry import THRESHOLD, VARIANTS

SYSTEM = "monitoring"
PROMETHEUS, ALERTMANAGER = "prometheus", "alertmanager"
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# How far back is looked for what goes wrong now, not for what has gone wrong once; holds two scrapes at the usual intervals of up to a minute.
WINDOW = "3m"
WINDOW_SECONDS = 180


@dataclass
class Server:
    """One of the two servers. ``token``, or ``login`` (name, password), is sent with each request, if there is one."""

    web: Web
    token: str = ""
    login: tuple[str, str] | None = None

    def get(self, path: str) -> Answer:
        """One answer, whatever it says. Raises AccessDenied, Unreachable."""
        answer = self.web.request("GET", path, token=self.token, login=self.login)
        if answer.status in (401, 403):
            given = "username and password" if self.login else "token"
            raise AccessDenied(f"{answer.where} refused us ({answer.status}): the {given} of leanvibe_ops_monitoring is missing, wrong, or may not read")
        return answer


Run = Session[Server]


def _data(server: Server, path: str) -> Any:
    answer = server.get(path)
    told = json_answer(answer)
    if answer.status != 200 or told.get("status") != "success" or "data" not in told:
        raise NoData(f"{answer.where} answered {answer.status}: {told.get('error') or words(answer) or 'nothing'}")
    return told["data"]


def data_of(session: Run, path: str) -> Any:
    """What Prometheus' API says under ``data``, asked for once. Raises NoData for anything else."""

    return session.once(path, lambda server: _data(server, path))


def ask(session: Run, expression: str) -> list[tuple[dict[str, str], float]]:
    """The series of an instant query (labels, value); none is an answer here. Raises NoData for errors and for anything else than a vector."""
    path = f"/api/v1/query?{urlencode({'query': expression})}"
    data = data_of(session, path)
    if isinstance(data, Mapping) and data.get("resultType") == "vector" and data.get("result") == []:
        return []
    return vector({"status": "success", "data": data}, expression)


def ahead(session: Run) -> tuple[datetime, clocks.Span]:
    """What time it is for Prometheus, asked for once, and how many seconds that was ahead of ours."""

    def read(server: Server) -> tuple[datetime, clocks.Span]:
        before = time.time()
        data = _data(server, "/api/v1/query?query=time()")
        after = time.time()
        try:
            there = float(data["result"][1])
            return datetime.fromtimestamp(there, UTC), clocks.span(before, there, after, step=0.001)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise NoData(f"{server.web.base} does not say what time it is") from error

    return session.once("time", read)


def clock(session: Run) -> datetime:
    """What time it is for Prometheus: ages are measured by its clock, not by ours."""
    return ahead(session)[0]


def listed(session: Run, path: str) -> list[dict[str, Any]]:
    """What Alertmanager's API lists, asked for once. Raises NoData for anything else."""

    def read(server: Server) -> list[dict[str, Any]]:
        answer = server.get(path)
        found = json_of(answer.body, answer.where, answer.content_type)
        if answer.status != 200 or not isinstance(found, list):
            raise unexpected(answer, "a list")
        return found

    return session.once(path, read)


def own_figures(session: Run) -> dict[str, float]:
    """What the server says about itself (GET /metrics): metrics without labels. Asked for once. Raises NoData."""

    def read(server: Server) -> dict[str, float]:
        return {sample.name: sample.value for samples in metrics(server.get("/metrics")).values() for sample in samples if not sample.labels}

    return session.once("metrics", read)


def own_figure(session: Run, name: str) -> float:
    """One of them. Raises NoData if it is not there."""
    found = own_figures(session)
    if name not in found:
        raise NoData(f"{session.client.web.base}/metrics has no {name}: not this program's metrics, or of another version")
    return found[name]


def moment(text: Any) -> datetime | None:
    """A time of the APIs; None for the zero time, by which they say never. Raises NoData if it is none."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise NoData(f"{text!r} is no time") from error
    return None if at.year == 1 else at


def metric_names(names: Iterable[Any], name: str) -> list[str]:
    """Names of metrics of the option ``name``. Raises ValueError if one is none."""
    wrong = [one for one in names if not (isinstance(one, str) and METRIC.fullmatch(one))]
    if wrong:
        raise ValueError(f"the option {name} of the health checks: {wrong[0]!r} is no name of a metric")
    return sorted(names)


def ready(session: Run) -> Answer:
    """What the server says about being ready, asked for once."""
    return session.once("ready", lambda server: server.get("/-/ready"))


def shown(session: Run) -> Iterable[Finding]:
    """How long the server's certificate is good for. Raises NotApplicable without TLS."""
    web = session.client.web
    if web.tls is None:
        raise NotApplicable("it is reached without TLS, as the inventory says (leanvibe_ops_monitoring)")
    return [certificate(session, web.tls, web.ca_file, web.seconds)]


def up(session: Run, name: str) -> Finding:
    """Whether the server is ready. Raises NoData for an answer that says neither."""
    answer = ready(session)
    if answer.status == 200:
        return Finding(observed=round(answer.seconds, 4), name=name, message=f"ready, answered in {answer.seconds:.3f} s")
    if answer.status < 500:
        raise unexpected(answer, "200, or 503 while it starts,")
    return Finding(verdict=CRITICAL, name=name, message=f"{answer.where} answered {answer.status}: {words(answer) or 'not ready'}")


def fine(message: str, observed: Any = None, **more: Any) -> Finding:
    """A finding that is ok."""
    return Finding(observed=observed, verdict=OK, message=message, **more)


UP = Threshold(degraded=1, critical=5, unit="s", source="ours: it takes milliseconds; whoever asks gives up after some seconds")


def check(name: str, question: str, run: Callable[[Run], Iterable[Finding]], query: str, threshold: Threshold | None = None, **more: Any) -> Check[Server]:
    """A check of this system. ``query`` is what curl is given after the server's address."""
    return Check(
        id=f"{SYSTEM}.{name}", question=question, system=SYSTEM, run=run, query=query, runbook=f"runbooks/{SYSTEM}.md#{name}", threshold=threshold, **more
    )


def certificate_check(name: str, who: str, where: str) -> Check[Server]:
    """It comes first: one that has expired is why nothing else can be asked."""
    query = f"openssl s_client -connect {where} </dev/null | openssl x509 -noout -enddate"
    return check(name, f"How long is {who} certificate good for?", shown, query, THRESHOLD, variants=VARIANTS)


def promql(expression: str) -> str:
    """How a query is repeated by hand."""
    return f"curl -sG PROMETHEUS/api/v1/query --data-urlencode 'query={expression}'"
