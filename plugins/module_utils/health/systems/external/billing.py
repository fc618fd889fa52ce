# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The payment provider (Stripe), asked without a key: that it wants one, and says so as its API does, is what is looked for."""

from __future__ import annotations

from collections.abc import Iterator

from ...model import Finding, Threshold
from ..answers import failed, json_answer, unexpected
from .services import Run, check, reached

PATH = "/v1/balance"


def _billing(session: Run) -> Iterator[Finding]:
    named = session.client.named("billing")
    web = reached(session, "billing", session.client.web(str(named["url"]), named.get("ca_file")))
    answer = web.request("GET", PATH)
    if answer.status >= 500:
        yield failed(answer)
        return
    error = json_answer(answer).get("error")
    if answer.status != 401 or not isinstance(error, dict) or "type" not in error:
        raise unexpected(answer, "a refusal in the form of Stripe's API (401, error.type)")
    yield Finding(observed=round(answer.seconds, 4), message=f"its API answers, and wants a key ({answer.seconds:.3f} s)")


CHECKS = (
    check("billing", "Does the payment provider's API answer?", _billing, f"curl -sS -i URL{PATH} (without a key: 401 and a JSON error)",
          Threshold(degraded=1, critical=3, unit="s", source="ours: people wait for payments"), timeout=12.0),
)  # fmt: skip
