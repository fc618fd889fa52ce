# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks like a secret does not come through, what does not stays as it is."""

from __future__ import annotations

import json

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.redaction import REDACTED, redact, redact_text

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://tenant_acme:{SECRET}@db:5432/leanvibe?sslmode=verify-full",
        f"rediss://tenant-acme:{SECRET}@cache:6379/0",
        f"redis://:{SECRET}@cache",
        f"password={SECRET} host=db",
        f"PASSWORD: {SECRET}",
        f"SCRAM-SHA-256$4096:{SECRET}$x:y",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----",
        f"eyJhbGciOiJSUzI1NiJ9.{SECRET}.sig",
    ],
)
def test_secrets_in_texts_are_blotted_out(text: str) -> None:
    assert SECRET not in redact_text(text)
    assert REDACTED in redact_text(text)


def test_known_secrets_are_blotted_out_anywhere() -> None:
    assert redact_text(f"a{SECRET}b", [SECRET]) == f"a{REDACTED}b"


@pytest.mark.parametrize("key", ["password", "REDIS_PASSWORD", "s3_secret_access_key", "rolpassword", "api_key", "private-key", "privateKey", "client_secret"])
def test_secrets_under_keys_are_blotted_out_at_any_depth(key: str) -> None:
    assert SECRET not in json.dumps(redact({"a": [{key: SECRET}, {key: {"b": SECRET}}]}))


@pytest.mark.parametrize(
    "value",
    [
        "Secret tenant-credentials of tenant-acme is missing in us-east-1",
        "role tenant_acme: connection limit 40",
        "https://localhost:21016/tenant-acme",
        {"password": None, "keys": ["REDIS_URL"], "token": 12, "enabled": True, "secretName": "tenant-credentials"},
        [1, 2.5, None],
    ],
)
def test_the_rest_stays_as_it_is(value: object) -> None:
    assert redact(value) == value
