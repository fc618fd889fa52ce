# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the server's certificate is valid: read from the greeting of a second connection, on which nobody logs in."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

from ....common.errors import Unreachable
from ...model import Check, Finding, NoData, NotApplicable, Session
from .. import expiry
from .server import RUNBOOK, Server

# PostgreSQL's protocol: length, and the code that asks for TLS.
_REQUEST = struct.pack("!ii", 8, 80877103)
_TIMEOUT_SECONDS = 3.0
_SHOW: LiteralString = "openssl s_client -starttls postgres -connect <host>:<port> </dev/null | openssl x509 -noout -enddate -subject"


def served(params: Mapping[str, Any], timeout: float = _TIMEOUT_SECONDS) -> bytes | None:
    """The certificate (DER) that the server shows, whoever signed it; None if it speaks no TLS. Raises OSError (ssl.SSLError is one)."""
    where = (str(params["host"]), int(params.get("port") or 5432))
    with socket.create_connection(where, timeout=timeout) as plain:
        plain.sendall(_REQUEST)
        if plain.recv(1) != b"S":
            return None
        # Whether the certificate is to be trusted is up to the connection itself; here it is only read, even when it has expired.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(plain, server_hostname=where[0]) as secured:
            return secured.getpeercert(binary_form=True)


def findings(params: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    """About the server's certificate, and those that are trusted to sign it. Raises NotApplicable without TLS, by declaration."""
    if params.get("sslmode") == "disable":
        raise NotApplicable("the connection uses no TLS, by declaration (sslmode: disable)")
    where = f"{params['host']}:{params.get('port') or 5432}"
    try:
        shown = served(params)
    except OSError as error:
        raise Unreachable(f"{where} did not show its certificate: {error}") from error
    if shown is None:
        raise NoData(f"{where} offers no TLS")
    yield expiry.of_der(shown, where).finding(now, "the server's certificate")
    if params.get("sslrootcert"):
        # One that is valid is enough: bundles keep old ones beside new ones.
        roots = Path(str(params["sslrootcert"])).read_bytes()
        yield expiry.of_pem(roots, "sslrootcert", alternatives=True).finding(now, "the last of the trusted certificates", name="ca")


def _certificate(session: Session[Server]) -> Iterator[Finding]:
    yield from findings(session.client.params, session.now)


CERTIFICATE: Check[Server] = Check(
    id="postgresql.certificate",
    question="How long are the server's certificate and its authority's valid?",
    system="postgresql",
    query=_SHOW,
    runbook=f"{RUNBOOK}#certificate",
    threshold=expiry.THRESHOLD,
    variants=expiry.VARIANTS,
    run=_certificate,
)
