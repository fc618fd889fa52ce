# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers over HTTP, and certificates that are shown: for every check that asks a web service."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from ...clients.web import Answer
from ...common.errors import Unreachable
from ...common.lazy import LazyModule
from ...reports.model import CRITICAL
from ..model import Finding, NoData, Session
from ..reading import json_of
from . import expiry

_parser = LazyModule("prometheus_client.parser")
_WORDS = 200  # of an answer that is shown


def words(answer: Answer) -> str:
    """The beginning of what came, for messages."""
    return " ".join(answer.body[: 4 * _WORDS].decode("utf-8", "replace").split())[:_WORDS]


def json_answer(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer, whatever its status. Raises NoData for anything else, and for JSON that is sent under another name."""
    if answer.body and answer.content_type and not (answer.content_type == "application/json" or answer.content_type.endswith("+json")):
        raise NoData(f"{answer.where} answered {answer.status} with {answer.content_type} where JSON was expected: {words(answer)[:60]}")
    found = json_of(answer.body, answer.where, answer.content_type)
    if not isinstance(found, dict):
        raise NoData(f"{answer.where} answered {answer.status} with a {type(found).__name__} where a JSON object was expected")
    return found


def metrics(answer: Answer) -> dict[str, list[Any]]:
    """The samples of each family, of metrics in Prometheus' text format. Raises NoData for anything else."""
    if answer.status != 200 or answer.content_type != "text/plain":
        raise unexpected(answer, "metrics (text)")
    try:
        return {family.name: family.samples for family in _parser.text_string_to_metric_families(answer.body.decode())}
    except ValueError as error:
        raise NoData(f"{answer.where} answered with metrics that cannot be read: {error}") from error


def unexpected(answer: Answer, wanted: str) -> NoData:
    """Neither good nor bad: an answer that says nothing about what was asked."""
    return NoData(f"{answer.where} answered {answer.status} where {wanted} was expected: {words(answer)}")


def failed(answer: Answer, **more: Any) -> Finding:
    """The finding of a service that answers that it does not work (5xx)."""
    return Finding(verdict=CRITICAL, message=f"{answer.where} answered {answer.status}: {words(answer) or 'no words'}", **more)


def _shown(address: tuple[str, int], context: ssl.SSLContext, seconds: float) -> bytes:
    with socket.create_connection(address, timeout=seconds) as plain, context.wrap_socket(plain, server_hostname=address[0]) as tls:
        return tls.getpeercert(binary_form=True) or b""


def certificate(session: Session[Any], address: tuple[str, int], ca_file: str | None, seconds: float, **more: Any) -> Finding:
    """How long the certificate of a TLS address lasts; critical if it is not accepted. Raises Unreachable."""
    what = f"the certificate of {address[0]}:{address[1]}"
    problem = ""
    try:
        try:
            shown = _shown(address, ssl.create_default_context(cafile=ca_file), seconds)
        except ssl.SSLCertVerificationError as error:
            problem = error.verify_message
            blind = ssl.create_default_context()  # to read what is shown, and nothing else: nothing is sent
            blind.check_hostname = False
            blind.verify_mode = ssl.CERT_NONE
            shown = _shown(address, blind, seconds)
    except OSError as error:
        raise Unreachable(f"{address[0]}:{address[1]} shows no certificate: {error or type(error).__name__}") from error
    found = expiry.of_der(shown, what).finding(session.now, what, **more)
    if not problem:
        return found
    return Finding(verdict=CRITICAL, observed=found.observed, variant=found.variant, message=f"it is not accepted ({problem}): {found.message}", **more)
