# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object store's client against a TLS server that the test plays."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import S3Client, S3Error, connect, parse_xml
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import Account, VersitygwAdmin
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError, Unreachable
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CONNECTION = {"region": "us-east-1", "access_key": "key", "secret_key": "hunter2"}


class Store:
    """A server that gives the answers it was told, in order, and keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.answers: list[tuple[int, bytes] | None] = []
        self.asked: list[tuple[str, str, bytes]] = []
        self.connections = 0
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                store.connections += 1
                super().setup()

            def do_GET(self) -> None:
                store.asked.append((self.command, self.path, self.rfile.read(int(self.headers.get("content-length") or 0))))
                answer = store.answers.pop(0)
                if answer is None:  # hang up without a word
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("content-length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def do_PUT(self) -> None:
                self.do_GET()

            def do_PATCH(self) -> None:
                self.do_GET()

            def log_message(self, *_unused: Any) -> None:
                return

        self.ca_file = str(certificate(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.endpoint = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def certificate(folder: Path) -> Path:
    """A key and a certificate for localhost that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    made = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    path = folder / "server.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client(store: Store) -> Iterator[S3Client]:
    with connect({**CONNECTION, "endpoint": store.endpoint, "ca_file": store.ca_file}, timeout=2) as made:
        yield made


def test_one_connection_serves_many_requests(store: Store, client: S3Client) -> None:
    store.answers = [(200, b"<A><B>1</B></A>"), (200, b""), (204, b"")]
    assert client.request("GET", "/b", {"policy": ""}).xml().findtext("B") == "1"
    client.request("PUT", "/b", body=b"data")
    client.request("PATCH", "/x")
    assert [(method, path) for method, path, _body in store.asked] == [("GET", "/b?policy="), ("PUT", "/b"), ("PATCH", "/x")]
    assert store.asked[1][2] == b"data"
    assert (store.connections, client.requests) == (1, 3)


def test_a_broken_connection_and_a_busy_store_are_tried_again(store: Store, client: S3Client) -> None:
    store.answers = [None, (503, b""), (200, b"")]
    assert client.request("GET", "/").status == 200
    assert client.requests == 3


def test_a_store_that_stays_busy_is_unreachable_in_time(store: Store) -> None:
    store.answers = [(503, b"")] * 50
    with connect({**CONNECTION, "endpoint": store.endpoint, "ca_file": store.ca_file}, timeout=0.4) as client, pytest.raises(Unreachable, match="503"):
        client.request("GET", "/")
    assert 1 < len(store.asked) < 10


def test_errors_keep_their_code_and_show_no_secret(store: Store, client: S3Client) -> None:
    store.answers = [
        (404, b"<Error><Code>NoSuchBucketPolicy</Code><Message>none</Message></Error>"),
        (403, b"<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"),
        (400, b"what"),
    ]
    with pytest.raises(S3Error) as missing:
        client.request("GET", "/b", {"policy": ""})
    assert (missing.value.code, missing.value.status) == ("NoSuchBucketPolicy", 404)
    with pytest.raises(AccessDenied) as denied:
        client.request("GET", "/")
    assert "hunter2" not in denied.value.message
    with pytest.raises(S3Error, match="400"):
        client.request("GET", "/")


def test_a_certificate_that_nobody_vouches_for_is_refused(store: Store) -> None:
    with connect({**CONNECTION, "endpoint": store.endpoint}, timeout=2) as client, pytest.raises(Unreachable, match=r"certificate is not accepted .*ca_file"):
        client.request("GET", "/")
    assert store.asked == []


@pytest.mark.parametrize("endpoint", ["http://localhost:1", "localhost:1", "https://"])
def test_only_https_is_spoken(endpoint: str) -> None:
    with pytest.raises(OpsError, match="is not https"):
        connect({**CONNECTION, "endpoint": endpoint}, timeout=1)


@pytest.mark.parametrize("missing", ["endpoint", "access_key", "secret_key"])
def test_what_is_missing_is_named(missing: str) -> None:
    connection = {**CONNECTION, "endpoint": "https://localhost"}
    del connection[missing]
    with pytest.raises(OpsError, match=rf"connection\.{missing} .*missing"):
        connect(connection, timeout=1)


def test_what_is_not_xml_is_said_to_be_so() -> None:
    with pytest.raises(OpsError, match="not XML"):
        parse_xml(b"<a>")


def test_accounts_and_owners_are_read_in_one_request_each(store: Store, client: S3Client) -> None:
    store.answers = [
        (200, b"<R><Accounts><Access>tenant-a-00000000</Access><Secret>s</Secret><Role>user</Role></Accounts></R>"),
        (200, b"<R><Buckets><Name>tenant-a</Name><Owner>ops</Owner></Buckets><Buckets><Name>x</Name><Owner>y</Owner></Buckets></R>"),
    ]
    admin = VersitygwAdmin(client)
    assert admin.accounts() == {"tenant-a-00000000": Account("tenant-a-00000000", "s", "user")}
    assert admin.owners() == {"tenant-a": "ops", "x": "y"}
    assert len(store.asked) == 2


def test_an_account_that_is_there_meanwhile_is_set(store: Store, client: S3Client) -> None:
    store.answers = [(409, b"<Error><Code>XAdminUserExists</Code></Error>"), (200, b"")]
    VersitygwAdmin(client).create(Account("tenant-a-00000000", "<&>"))
    assert store.asked[1][1] == "/update-user?access=tenant-a-00000000"
    assert parse_xml(store.asked[1][2]).findtext("Secret") == "<&>"
    assert "<&>" not in repr(Account("a", "<&>"))
