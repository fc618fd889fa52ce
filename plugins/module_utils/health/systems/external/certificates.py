# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the certificates of services outside the platform last. They come first: one that has expired is why nothing else can be asked."""

from __future__ import annotations

from collections.abc import Iterator

from ....common.errors import OpsError
from ...model import Finding, NotApplicable
from ..expiry import THRESHOLD, VARIANTS
from . import mail
from .services import Run, check, shown

ADDRESSES = {"billing": "url", "identity": "issuer"}


def _certificates(session: Run) -> Iterator[Finding]:
    """What one service hides does not keep the others from being looked at."""
    looked_at, problems = 0, []
    for name, key in ADDRESSES.items():
        named = session.client.declared.get(name)
        web = session.client.web(str(named[key]), named.get("ca_file")) if named else None
        if web is not None and web.tls is not None:
            looked_at += 1
            try:
                yield shown(session, name, web)
            except OpsError as error:
                problems.append(error)
    try:
        of_mail = mail.certificate(session)
    except OpsError as error:
        problems.append(error)
    else:
        if of_mail is not None:
            looked_at += 1
            yield of_mail
    if problems:
        raise type(problems[0])("; ".join(error.message for error in problems))
    if not looked_at:
        raise NotApplicable("no service outside the platform is declared with TLS, or what it shows is told by its own check")


CHECKS = (
    check("certificates", "How long are the certificates good for that these services show?", _certificates,
          "openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -enddate", THRESHOLD, variants=VARIANTS, timeout=20.0),
)  # fmt: skip
