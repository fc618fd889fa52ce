# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a kubeconfig: which credential is used, and what is refused."""

from __future__ import annotations

import base64
import contextlib
import datetime
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes import KubernetesClient, Resource
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes_config import load
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, InvalidInput, Unreachable
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def pair() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    certificate = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM), private


def write(folder: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None, **top: Any) -> str:
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}, {"name": "two", "context": {"cluster": "d", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://one/", **(cluster or {})}}, {"name": "d", "cluster": {"server": "http://two"}}],
        "users": [{"name": "u", "user": user}],
        **top,
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def plugin(folder: Path, status: dict[str, Any] | None, *, code: int = 0, seconds: float = 0) -> dict[str, Any]:
    """An exec plugin that counts its runs in the file ``runs``."""
    script = folder / "plugin.py"
    script.write_text(
        "import json, os, sys, time\n"
        f"open({str(folder / 'runs')!r}, 'a').write('x')\n"
        f"time.sleep({seconds})\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        f"status = {status!r}\n"
        "if status and status.get('token') == 'count': status['token'] = 'run' + str(os.path.getsize(" + repr(str(folder / "runs")) + "))\n"
        "print(json.dumps({'kind': info['kind'], 'status': status}))\n"
        f"sys.stderr.write('no such profile ' + os.environ.get('PROFILE', ''))\nsys.exit({code})\n",
        encoding="utf-8",
    )
    env = [{"name": "PROFILE", "value": "prod"}]
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)], "env": env}}


def test_the_context_decides(tmp_path: Path) -> None:
    path = write(tmp_path, {"token": "t"})
    assert load(path, None, 5).server == "http://one"
    assert load(path, "two", 5).server == "http://two"
    with pytest.raises(InvalidInput, match="no context named 'three'"):
        load(path, "three", 5)


def test_a_token_file_is_read_each_time_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n", encoding="utf-8")
    access = load(write(tmp_path, {"tokenFile": "token"}), None, 5)
    assert access.bearer() == "first"
    (tmp_path / "token").write_text("second\n", encoding="utf-8")
    assert access.bearer() == "second"


def test_a_client_certificate_is_loaded_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    certificate, key = pair()
    user = {"client-certificate-data": base64.b64encode(certificate).decode(), "client-key-data": base64.b64encode(key).decode()}
    path = write(tmp_path, user, {"server": "https://one", "certificate-authority-data": base64.b64encode(certificate).decode()})
    access = load(path, None, 5)
    assert access.tls is not None
    assert access.tls.verify_mode is ssl.CERT_REQUIRED
    assert access.tls.check_hostname
    assert access.tls.cert_store_stats()["x509"] == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == ["kubeconfig"]


def test_a_plugin_is_run_once_and_again_when_its_token_is_refused(tmp_path: Path) -> None:
    access = load(write(tmp_path, plugin(tmp_path, {"token": "count"})), None, 30)
    assert [access.bearer(), access.bearer(), access.bearer(refused="other")] == ["run1"] * 3
    assert access.bearer(refused="run1") == "run2"


def test_a_plugins_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
    access = load(write(tmp_path, plugin(tmp_path, {"token": "count", "expirationTimestamp": soon.strftime("%Y-%m-%dT%H:%M:%SZ")})), None, 30)
    assert access.bearer() == "run2"


def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    certificate, key = pair()
    user = plugin(tmp_path, {"clientCertificateData": certificate.decode(), "clientKeyData": key.decode()})
    access = load(write(tmp_path, user, {"server": "https://one"}), None, 30)
    assert access.bearer() is None
    assert access.tls is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"status": None}, "printed no ExecCredential"),
        ({"status": {}}, "printed neither a token nor a certificate"),
        ({"status": {"token": "x"}, "code": 3}, "ended with status 3: no such profile prod"),
        ({"status": {"token": "x"}, "seconds": 30}, "timed out"),
    ],
)
def test_a_plugin_that_fails_says_why(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    path = write(tmp_path, plugin(tmp_path, **arguments))
    with pytest.raises(AccessDenied, match=said):
        load(path, None, 1 if arguments.get("seconds") else 30)


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        ({}, {"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify is refused"),
        ({"auth-provider": {"name": "gcp"}}, {}, "auth-provider is not supported"),
        ({"username": "u", "password": "p"}, {}, "username is not supported"),
        ({"client-certificate": "absent.crt"}, {}, "client-certificate cannot be read"),
        ({}, {"server": "https://x", "certificate-authority-data": "bm9uc2Vuc2U="}, "certificates are not usable"),
        ({}, {"server": ""}, "cluster has no server"),
    ],
)
def test_what_is_refused_names_file_and_reason(tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], said: str) -> None:
    path = write(tmp_path, user, cluster)
    with pytest.raises(InvalidInput, match=said) as caught:
        load(path, None, 5)
    assert path in caught.value.message


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: b: c", "contexts: 3"])
def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match="kubeconfig"):
        load(str(path), None, 5)


def test_no_secret_is_in_the_representation(tmp_path: Path) -> None:
    access = load(write(tmp_path, {"token": "s3cret"}), None, 5)
    with_plugin = load(write(tmp_path, plugin(tmp_path, {"token": "s3cret"})), None, 30)
    assert "s3cret" not in repr(access) + repr(with_plugin)


def test_a_server_of_another_authority_is_refused_at_once(tmp_path: Path) -> None:
    """No time is spent on repetitions, and no token is sent."""
    certificate, key = pair()
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _address = listener.accept()
        with contextlib.suppress(ssl.SSLError, OSError), context.wrap_socket(connection, server_side=True) as secure:
            received.append(secure.recv(100))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    authority = base64.b64encode(pair()[0]).decode()
    cluster = {"server": f"https://127.0.0.1:{listener.getsockname()[1]}", "certificate-authority-data": authority}
    client = KubernetesClient(load(write(tmp_path, {"token": "s3cret"}, cluster), None, 5), "leanvibe.ops", timeout=20, connections=1)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="did not sign"):
        client.get(Resource("v1", "Namespace", "namespaces", namespaced=False), None, "default")
    assert time.monotonic() - began < 10
    thread.join(5)
    listener.close()
    assert received in ([], [b""])
