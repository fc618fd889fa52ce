# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail server that the platform sends by: greeting, EHLO, STARTTLS where it is declared, NOOP. Nothing is sent."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ....common.errors import Unreachable
from ....reports.model import CRITICAL
from ...model import Finding, NoData, Session, Threshold
from .. import expiry
from .services import SECONDS, Run, Services, check

STARTTLS, TLS, NONE = "starttls", "tls", "none"


def _context(named: Mapping[str, Any]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=named.get("ca_file"))


def _talk(named: Mapping[str, Any]) -> tuple[float, bytes]:
    """Seconds, and the certificate in DER (empty without TLS). Raises what smtplib raises."""
    host, port = str(named["host"]), int(named["port"])
    began = time.monotonic()
    direct = named["security"] == TLS
    server = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=_context(named)) if direct else smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if named["security"] == STARTTLS:
            server.starttls(context=_context(named))
            server.ehlo()
        code, words = server.noop()
        if code != 250:
            raise smtplib.SMTPResponseException(code, words)
        seconds = time.monotonic() - began
        shown = server.sock.getpeercert(binary_form=True) if isinstance(server.sock, ssl.SSLSocket) else b""
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
        return seconds, shown or b""
    finally:
        server.close()


def talked(session: Session[Services]) -> tuple[float, bytes]:
    """One conversation, held once. Raises Unreachable, NoData, smtplib's refusals and SSLCertVerificationError."""
    named = session.client.named("mail")
    where = f"{named['host']}:{named['port']}"

    def talk(_services: Services) -> tuple[float, bytes]:
        try:
            return _talk(named)
        except smtplib.SMTPResponseException as error:
            if error.smtp_code < 0:
                raise NoData(f"{where} answers, and not as a mail server does: {error.smtp_error!r}"[:300]) from error
            raise
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError):
            raise
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"{where} hung up or did not answer within {SECONDS:g} s: {error or type(error).__name__}") from error

    return session.once("mail", talk)


def _mail(session: Run) -> Iterator[Finding]:
    try:
        seconds, _shown = talked(session)
    except smtplib.SMTPResponseException as error:
        words = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        yield Finding(verdict=CRITICAL, message=f"it refuses us: {error.smtp_code} {words[:200]}")
    except smtplib.SMTPNotSupportedError:
        yield Finding(verdict=CRITICAL, message="it offers no STARTTLS, and mail is not to be sent in clear (leanvibe_ops_external.mail.security)")
    except ssl.SSLCertVerificationError as error:
        yield Finding(verdict=CRITICAL, message=f"its certificate is not accepted: {error.verify_message}")
    else:
        yield Finding(observed=round(seconds, 4), message=f"took EHLO and NOOP in {seconds:.3f} s")


def certificate(session: Run) -> Finding | None:
    """How long its certificate lasts; None without TLS, or where ``external.mail`` has found out why there is none."""
    named = session.client.declared.get("mail")
    if not named or named["security"] == NONE:
        return None
    try:
        shown = talked(session)[1]
    except (smtplib.SMTPException, ssl.SSLCertVerificationError):
        return None
    what = f"the certificate of {named['host']}:{named['port']}"
    return expiry.of_der(shown, what).finding(session.now, what, name="mail")


CHECKS = (
    check("mail", "Does the mail server talk to us?", _mail, "openssl s_client -starttls smtp -connect HOST:PORT -crlf, then EHLO and NOOP",
          Threshold(degraded=2, critical=3, unit="s", source="ours: mail waits in the application's queue, and a greeting takes no time"), timeout=12.0),
)  # fmt: skip
