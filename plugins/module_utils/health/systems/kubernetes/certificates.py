# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What expires: the kubeconfig's own credential, the API server's certificate, and TLS Secrets."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ....clients.kubernetes import Object, Resource
from ....common.errors import AccessDenied
from ....reports.model import DEGRADED
from ...model import Finding, NoData, NotApplicable
from .. import expiry
from ..expiry import Expiry, of_der, of_pem
from ..folding import told
from .cluster import LONG, Run, check, listed, space_of

SECRETS = Resource("v1", "Secret", "secrets")
SECRETS_ROLE = "leanvibe-health-tls-secrets"
_RENEWED = timedelta(days=7)  # a token that was issued for less is made for a run, and made anew for the next


def _token(token: str) -> Expiry | None:
    """What a JSON Web Token says of itself; None if it is none, or never expires. Not verified: the API server does that."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = datetime.fromtimestamp(float(claims["exp"]), UTC)
        start = datetime.fromtimestamp(float(claims.get("iat", claims["exp"])), UTC)
        return Expiry(str(claims.get("sub") or "token"), start, end)
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None


def _client(session: Run) -> Iterable[Finding]:
    access = session.client.api.access
    if access.certificate is not None:
        return [of_pem(access.certificate, "the kubeconfig's client certificate").finding(session.client.now, "the kubeconfig's client certificate")]
    if access.plugin is not None or access.token_file is not None:
        raise NotApplicable("the kubeconfig gets short-lived tokens by itself (exec plugin or token file); nothing of it expires")
    token = _token(access.static_token) if access.static_token else None
    if token is None:
        raise NotApplicable("the kubeconfig holds no certificate, and no token that says when it expires")
    if token.end - token.start < _RENEWED:
        raise NotApplicable(f"the kubeconfig's token was issued for {token.end - token.start}: it is made anew for each use")
    return [token.finding(session.client.now, "the kubeconfig's token")]


def _serving(session: Run) -> Iterable[Finding]:
    shown = session.client.api.serving_certificate()
    if shown is None:
        raise NotApplicable("the API server is talked to without TLS")
    return [of_der(shown, "the API server's certificate").finding(session.client.now, f"the certificate of {session.client.api.server}")]


def _secret(item: Object) -> tuple[str, str, bytes]:
    """Namespace, name and certificate: the private key is dropped at once."""
    try:
        certificate = base64.b64decode((item.get("data") or {}).get("tls.crt") or "", validate=True)
    except (binascii.Error, ValueError):
        certificate = b""
    return str(item["metadata"]["namespace"]), str(item["metadata"]["name"]), certificate


def _chosen(session: Run, names: Sequence[str]) -> list[tuple[str, str, bytes]]:
    """The Secrets that the inventory names, one request each. Raises NoData naming those that do not exist."""
    found, missing = [], []
    for full in names:
        namespace, _slash, name = str(full).partition("/")
        item = session.client.api.get(SECRETS, namespace, name)
        if item is None:
            missing.append(full)
        else:
            found.append(_secret(item))
    if missing:
        raise NoData(f"Secrets that the option tls_secrets names do not exist: {', '.join(missing)}")
    return found


def _secrets(session: Run) -> Iterable[Finding]:
    names = session.options.get("tls_secrets")
    if names is not None and not names:
        raise NotApplicable("the inventory names no TLS Secrets to look at (option tls_secrets: [])")
    try:
        secrets = _chosen(session, names) if names else listed(session, SECRETS, _secret, "type=kubernetes.io/tls")
    except AccessDenied as error:
        raise AccessDenied(f"{error.message}. Whoever may list Secrets may read all of them; the option tls_secrets names a few instead, or none") from error
    found = []
    for namespace, name, certificate in secrets:
        space = space_of(session, namespace)
        if space.leaving_since is not None:
            continue
        about: dict[str, Any] = {"name": f"{namespace}/{name}", "tenants": space.tenants}
        try:
            found.append(of_pem(certificate, f"tls.crt of {namespace}/{name}").finding(session.client.now, f"Secret {namespace}/{name}", **about))
        except NoData as error:
            found.append(Finding(verdict=DEGRADED, message=error.message, **about))
    return told(session, found, len(secrets), "TLS Secrets", none_is_fine="no Secrets of type kubernetes.io/tls")


CHECKS = (
    check(
        "certificate_client",
        "How long is the credential of the kubeconfig good for?",
        _client,
        "kubectl config view --raw -o jsonpath='{.users[0].user.client-certificate-data}' | base64 -d | openssl x509 -noout -enddate",
        "",
        threshold=expiry.THRESHOLD,
        variants=expiry.VARIANTS,
    ),
    check(
        "certificate_serving",
        "How long is the API server's certificate good for?",
        _serving,
        "openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -enddate",
        "",
        threshold=expiry.THRESHOLD,
        variants=expiry.VARIANTS,
    ),
    check(
        "certificate_secrets",
        "How long are the certificates in TLS Secrets good for?",
        _secrets,
        "kubectl get secrets -A --field-selector type=kubernetes.io/tls -o jsonpath='{.items[*].data.tls\\.crt}'",
        "",
        threshold=expiry.THRESHOLD,
        variants=expiry.VARIANTS,
        timeout=LONG,
        grants=(f"list secrets (ClusterRole {SECRETS_ROLE}), or get on those that the option tls_secrets names",),
    ),
)
