# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that the server shows, if the connection is declared with TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from ....clients.neo4j import Neo4jClient
from ....common.errors import Unreachable
from ....reports.model import CRITICAL
from ...model import Check, Finding, NotApplicable, Session
from .. import expiry
from .graph import SYSTEM

_PORT = 7687


def address(uri: str) -> tuple[str, int]:
    """Host and port of an address such as ``neo4j+s://host:7687`` or ``bolt://[::1]``."""
    place = uri.partition("://")[2].split("/", 1)[0].split("?", 1)[0]
    if place.startswith("["):
        host, _bracket, rest = place[1:].partition("]")
        return host, int(rest[1:] or _PORT)
    host, _colon, port = place.partition(":")
    return host, int(port or _PORT)


def shown(uri: str, ca_file: str | None, seconds: float) -> bytes:
    """The server's certificate (DER). Raises ssl.SSLCertVerificationError if it is not accepted, Unreachable."""
    host, port = address(uri)
    context = ssl.create_default_context(cafile=ca_file or None)
    try:
        with socket.create_connection((host, port), timeout=seconds) as plain, context.wrap_socket(plain, server_hostname=host) as stream:
            return stream.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError:
        raise
    except OSError as error:
        raise Unreachable(f"{host}:{port} did not show its certificate: {error}") from error


def _certificate(session: Session[Neo4jClient]) -> Iterator[Finding]:
    if session.client.tls is None:
        raise NotApplicable("the connection is declared without TLS")
    try:
        certificate = shown(*session.client.tls, CERTIFICATE.timeout)
    except ssl.SSLCertVerificationError as error:
        yield Finding(observed=error.verify_message, verdict=CRITICAL, message=f"its certificate is not accepted: {error.verify_message}")
        return
    yield expiry.of_der(certificate, "what it showed").finding(session.now, "its certificate")


CERTIFICATE = Check(
    id="neo4j.certificate",
    question="How many days does the server's certificate hold?",
    system=SYSTEM,
    query="openssl s_client -connect <host>:7687 -servername <host> </dev/null | openssl x509 -noout -enddate",
    runbook="runbooks/neo4j.md#certificate",
    threshold=expiry.THRESHOLD,
    variants=expiry.VARIANTS,
    run=_certificate,
)
