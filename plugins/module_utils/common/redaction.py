# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of defence before something is shown or stored: what looks like a secret is blotted out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REDACTED = "(redacted)"

_SECRET_KEY = re.compile(
    r"(passw(or)?d|passphrase|secret[_-]?access[_-]?key|private[_-]?key|client[_-]?secret|api[_-]?key"
    r"|auth[_-]?token|access[_-]?token|bearer|verifier|rolpassword)",
    re.IGNORECASE,
)
_IN_TEXT = (
    # user:password@ of a URL
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s@]+(?=@)", re.IGNORECASE), r"\g<keep>" + REDACTED),
    (re.compile(r"SCRAM-SHA-256\$\S+"), REDACTED),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), REDACTED),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), REDACTED),
    (re.compile(r"(?P<keep>\b(?:password|passwd)\b\s*[=:]\s*)(?!\(redacted\))[^\s,;]+", re.IGNORECASE), r"\g<keep>" + REDACTED),
)


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Blot out the given secrets, and what has the form of one: passwords in URLs, SCRAM verifiers, tokens, private keys."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, REDACTED)
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Copy ``value`` (mappings, lists, scalars) with secrets blotted out: whatever stands under a key that names one, and secrets inside texts."""
    known = tuple(secrets)
    if isinstance(value, Mapping):
        return {key: REDACTED if isinstance(key, str) and item is not None and _SECRET_KEY.search(key) else redact(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(item, known) for item in value]
    return redact_text(value, known) if isinstance(value, str) else value
