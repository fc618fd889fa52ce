# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file with everything that a diagnosis saw, to be handed to somebody else: redacted, for the owner only, with a list of what is in it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping

from ..common.redaction import redact_text
from ..reports.writer import SECRET

SUMS = "SHA256SUMS"


def archive(files: Mapping[str, str], hide: Iterable[str], folder: str, at: int) -> bytes:
    """The files as .tar.gz, each redacted, below ``folder``; SHA256SUMS, which sha256sum --check reads, lists them. ``at`` is their time (since 1970)."""
    known = sorted(set(hide), key=len, reverse=True)
    contents = {name: redact_text(text, known).encode() for name, text in sorted(files.items())}
    sums = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in contents.items())
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=at) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, body in {SUMS: sums.encode(), **contents}.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(body), SECRET, at
            tar.addfile(entry, io.BytesIO(body))
    return packed.getvalue()
