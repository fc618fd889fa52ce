# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stripe's API, as stripe-mock plays it: it checks requests against Stripe's description and keeps nothing."""

from __future__ import annotations

from .. import files, web
from ..part import Part
from ..supervisor import Program
from ..waiting import NotReady

# stripe-mock takes every key of this form; it opens nothing.
KEY = "sk_test_sandbox"


class StripeMock(Part):
    """One for both regions, as Stripe is one."""

    component = "stripe_mock"
    system = "stripe"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("stripe_mock", None), self.context.port("stripe_mock_tls", None))

    @property
    def address(self) -> str:
        return f"http://localhost:{self.ports[0]}"

    def prepare(self) -> list[str]:
        return ["folder made"] if files.directory(self.home, 0o700, self.account) else []

    def program(self) -> Program:
        plain, tls = (f"127.0.0.1:{port}" for port in self.ports)
        # Without a word about HTTPS it would listen on its default port as well, for all the world.
        argv = (str(self.context.binary("stripe-mock")), "-http-addr", plain, "-https-addr", tls)
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name)

    def probe(self, timeout: float = 5.0) -> str:
        answer = web.request("GET", f"{self.address}/v1/balance", headers={"Authorization": f"Bearer {KEY}"}, timeout=timeout)
        if answer.status != 200 or "stripe-mock-version" not in answer.headers:
            raise NotReady(f"stripe-mock answers {answer.status} to a question about the balance")
        return answer.headers["stripe-mock-version"]
