# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Kubernetes API is and how to log in to it: reads one context of a kubeconfig file.

Read here rather than by the ``kubernetes`` package, whose import costs a second of CPU in each module process and whose exec plugins run
without a time-out and lose the reason when they fail. Client certificates, tokens, token files and exec plugins (``aws eks get-token``) work.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..common.errors import AccessDenied, InvalidInput

_EARLY = timedelta(seconds=60)  # a token is renewed this long before it expires


@dataclass
class ExecPlugin:
    """The command of a kubeconfig that prints an ExecCredential, and its last token. Safe to use from several threads."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    api_version: str
    timeout: float
    _token: str | None = field(default=None, repr=False)
    _expires: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def token(self, unless: str | None = None) -> str:
        """A token that is not about to expire; ``unless`` is one that the API refused, so that another must be had."""
        with self._lock:
            stale = self._token is None or self._token == unless or (self._expires is not None and self._expires - _EARLY <= datetime.now(UTC))
            if stale:
                self.remember(self.run())
            return str(self._token)

    def remember(self, status: Mapping[str, Any]) -> None:
        """Take over the token of a credential's ``status``. Raises AccessDenied if there is none."""
        if not status.get("token"):
            raise AccessDenied(f"{self.argv[0]} (exec plugin of the kubeconfig) printed neither a token nor a certificate with its key")
        expires = status.get("expirationTimestamp")
        self._expires = datetime.fromisoformat(str(expires).replace("Z", "+00:00")) if expires else None
        self._token = str(status["token"])

    def run(self) -> Mapping[str, Any]:
        """Run the command and return the credential's ``status``. Raises AccessDenied with what the command said on stderr."""
        info = json.dumps({"apiVersion": self.api_version, "kind": "ExecCredential", "spec": {"interactive": False}})
        environment = {**os.environ, **self.environment, "KUBERNETES_EXEC_INFO": info}
        try:
            done = subprocess.run(self.argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=self.timeout, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AccessDenied(f"cannot get a credential from {self.argv[0]} (exec plugin of the kubeconfig): {error}") from error
        if done.returncode != 0:
            raise AccessDenied(f"{self.argv[0]} (exec plugin of the kubeconfig) ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
        try:
            status = json.loads(done.stdout)["status"]
        except (ValueError, KeyError, TypeError):
            status = None
        if not isinstance(status, dict):
            raise AccessDenied(f"{self.argv[0]} (exec plugin of the kubeconfig) printed no ExecCredential with a status")
        return status


@dataclass
class Access:
    """One API server and how to talk to it. ``repr`` shows no secret."""

    server: str
    tls: ssl.SSLContext | None
    server_name: str | None = None
    proxy: str | None = None
    static_token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    plugin: ExecPlugin | None = None
    certificate: bytes | None = field(default=None, repr=False)  # of the client, PEM; its key is in ``tls`` only

    def bearer(self, refused: str | None = None) -> str | None:
        """The token to send, or None when a certificate does it; ``refused`` is one that the API has just refused (only a plugin can have another)."""
        if self.plugin is not None:
            return self.plugin.token(unless=refused)
        if self.token_file is not None:
            try:
                return self.token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise AccessDenied(f"token file of the kubeconfig: {error}") from error
        return self.static_token


def load(kubeconfig: str, context: str | None, timeout: float) -> Access:
    """Read one context (None: the current one). ``timeout``: seconds for an exec plugin. Raises InvalidInput naming file and entry."""
    import yaml

    path = Path(kubeconfig).expanduser()
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidInput("kubeconfig", [f"{path} cannot be read: {error}"]) from error
    reader = _Reader(path, data if isinstance(data, dict) else {})
    chosen = context or reader.text(reader.data, "current-context", "current-context")
    entry = reader.named("contexts", "context", chosen)
    cluster = reader.named("clusters", "cluster", reader.text(entry, "cluster", f"context {chosen}"))
    user = reader.named("users", "user", str(entry["user"])) if entry.get("user") else {}
    return reader.access(cluster, user, timeout)


@dataclass
class _Reader:
    path: Path
    data: Mapping[str, Any]

    def problem(self, text: str) -> InvalidInput:
        return InvalidInput("kubeconfig", [f"{self.path}: {text}"])

    def text(self, entry: Mapping[str, Any], key: str, where: str) -> str:
        if not entry.get(key):
            raise self.problem(f"{where} has no {key}" if where != key else f"no {key}; name a context")
        return str(entry[key])

    def named(self, plural: str, singular: str, name: str) -> Mapping[str, Any]:
        for entry in self.data.get(plural) or []:
            if isinstance(entry, dict) and entry.get("name") == name:
                return dict(entry.get(singular) or {})
        raise self.problem(f"no {singular} named {name!r}")

    def content(self, entry: Mapping[str, Any], key: str) -> bytes | None:
        """What ``<key>-data`` holds in base64, or the file that ``<key>`` names, relative to the kubeconfig."""
        try:
            if entry.get(f"{key}-data"):
                return base64.b64decode(entry[f"{key}-data"], validate=True)
            if entry.get(key):
                return (self.path.parent / str(entry[key])).read_bytes()
        except (OSError, binascii.Error, ValueError) as error:
            raise self.problem(f"{key} cannot be read: {error}") from error
        return None

    def access(self, cluster: Mapping[str, Any], user: Mapping[str, Any], timeout: float) -> Access:
        server = self.text(cluster, "server", "cluster").rstrip("/")
        if cluster.get("insecure-skip-tls-verify"):
            raise self.problem("insecure-skip-tls-verify is refused because Secrets travel over this connection; give certificate-authority instead")
        for key in ("auth-provider", "username"):
            if user.get(key):
                raise self.problem(f"{key} is not supported (kubectl dropped it too); use an exec plugin, a token or a client certificate")
        plugin = self.plugin(user["exec"], timeout) if isinstance(user.get("exec"), dict) else None
        certificate, private_key = self.content(user, "client-certificate"), self.content(user, "client-key")
        if plugin is not None:
            status = plugin.run()
            if status.get("clientCertificateData") and status.get("clientKeyData"):
                plugin, certificate, private_key = None, str(status["clientCertificateData"]).encode(), str(status["clientKeyData"]).encode()
            else:
                plugin.remember(status)
        token_file = self.path.parent / str(user["tokenFile"]) if user.get("tokenFile") and not user.get("token") else None
        return Access(
            server=server,
            tls=self.tls(self.content(cluster, "certificate-authority"), certificate, private_key) if server.startswith("https:") else None,
            server_name=cluster.get("tls-server-name"),
            proxy=cluster.get("proxy-url"),
            static_token=user.get("token"),
            token_file=token_file,
            plugin=plugin,
            certificate=certificate,
        )

    def plugin(self, spec: Mapping[str, Any], timeout: float) -> ExecPlugin:
        command = self.text(spec, "command", "exec")
        if os.sep in command:
            command = str(self.path.parent / command)
        return ExecPlugin(
            argv=(command, *(str(argument) for argument in spec.get("args") or [])),
            environment={str(item["name"]): str(item["value"]) for item in spec.get("env") or []},
            api_version=str(spec.get("apiVersion") or "client.authentication.k8s.io/v1"),
            timeout=timeout,
        )

    def tls(self, authority: bytes | None, certificate: bytes | None, key: bytes | None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if authority is not None:
                context.load_verify_locations(cadata=authority.decode("ascii"))
            else:
                context.load_default_certs()
            if certificate is not None:
                _load_pair(context, certificate, key or b"")
        except (ssl.SSLError, ValueError, OSError) as error:
            raise self.problem(f"certificates are not usable: {error}") from error
        return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL takes a certificate and its key only by file name: a private one that is gone at once."""
    with tempfile.NamedTemporaryFile() as both:  # created with mode 0600
        both.write(certificate + b"\n" + key)
        both.flush()
        context.load_cert_chain(both.name)
