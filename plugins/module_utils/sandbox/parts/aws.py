# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's control plane: a moto server, seeded with what the guides describe. It forgets everything when it stops."""

from __future__ import annotations

import sys
from importlib.metadata import version

from .. import files, web
from ..part import Part
from ..supervisor import Program
from ..waiting import NotReady
from . import aws_contents

# moto tells by the scope which service is meant; it checks no signature.
ROUTE53 = "AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, Signature=none"


class Aws(Part):
    """One server for both regions, as AWS's API is one."""

    component = "aws"
    system = "aws"
    when_changed = ""
    grace = 30.0

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("aws", None),)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.ports[0]}"

    def prepare(self) -> list[str]:
        return ["folder made"] if files.directory(self.home, 0o700, self.account) else []

    def program(self) -> Program:
        argv = (sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.ports[0]))
        # Python's own variables would lead it to other packages than the environment's.
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name, environment={"MOTO_IAM_LOAD_MANAGED_POLICIES": "false"})

    def probe(self, timeout: float = 5.0) -> str:
        answer = web.request("GET", f"{self.address}/2013-04-01/hostedzonecount", headers={"Authorization": ROUTE53}, timeout=timeout)
        if answer.status != 200:
            raise NotReady(f"moto answers {answer.status} to a question about hosted zones")
        return version("moto")

    def configure(self) -> list[str]:
        return aws_contents.seed(self.address)
