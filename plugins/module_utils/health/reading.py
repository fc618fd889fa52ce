# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading answers without taking nothing for something: an empty answer is NoData, a measured zero is 0. For use in checks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..reports.model import OK
from .model import Finding, NoData, Session

Row = TypeVar("Row")


def option(session: Session[Any], name: str, kind: type, default: Any) -> Any:
    """An option of the inventory. Raises ValueError if it is of another kind."""
    value = session.options.get(name, default)
    if not isinstance(value, kind):
        raise ValueError(f"the option {name} of the health checks must be a {kind.__name__}, not {value!r}")
    return value


def single(rows: Sequence[Row], what: str) -> Row:
    """The one row of an answer. Raises NoData if there is none or more than one."""
    if len(rows) != 1:
        raise NoData(f"{what}: one row was expected, {len(rows)} came")
    return rows[0]


def measured(value: float | None, what: str) -> float:
    """A number that was measured. Raises NoData for None, what SQL's aggregates and APIs give for nothing."""
    if value is None:
        raise NoData(f"{what}: there is no value; nothing was measured, which is not 0")
    return float(value)


def json_of(body: str | bytes, where: str, content_type: str | None = None) -> Any:
    """The JSON of an HTTP answer. Raises NoData for HTML, an empty body, or half a document; shows the first words of what came instead."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if not text.strip():
        raise NoData(f"{where} answered with nothing where JSON was expected")
    try:
        return json.loads(text)
    except ValueError as error:
        start = " ".join(text.split())[:60]
        kind = "HTML" if start.lower().startswith(("<!doctype", "<html")) else content_type or "something else"
        raise NoData(f"{where} answered with {kind} where JSON was expected: {start}") from error


def vector(answer: Any, what: str) -> list[tuple[dict[str, str], float]]:
    """All series of a Prometheus instant query's answer (labels, value). Raises NoData if there are none, or if it is an error or something else."""
    if not isinstance(answer, Mapping) or answer.get("status") != "success":
        reason = answer.get("error") if isinstance(answer, Mapping) else type(answer).__name__
        raise NoData(f"{what}: Prometheus answered with an error: {reason}")
    data = answer.get("data")
    series = data.get("result") if isinstance(data, Mapping) and data.get("resultType") == "vector" else None
    if not series:
        raise NoData(f"{what}: no series; nothing was measured, which is not 0 (absent metric, or wrong labels)")
    return [(dict(one["metric"]), float(one["value"][1])) for one in series]


def reviewed(bad: Iterable[Finding], looked_at: int, what: str, *, none_is_fine: str = "", observed: Any = 0) -> list[Finding]:
    """For checks that look through many things and tell those that are wrong: these, or one ok finding that says how many were looked at.

    Having looked at nothing is NoData, unless ``none_is_fine`` says why there may be none (``no slots: nothing replicates from here``).
    """
    found = list(bad)
    if found:
        return found
    if looked_at < 1 and not none_is_fine:
        raise NoData(f"no {what} to look at; nothing was measured")
    return [Finding(observed=observed, verdict=OK, message=f"{looked_at} {what}, nothing wrong" if looked_at else none_is_fine)]
