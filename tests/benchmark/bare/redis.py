# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis over one socket: each sequence is a pipeline, sent at once."""

from __future__ import annotations

import socket
from io import BufferedReader
from typing import Any


def send(stage: dict[str, Any]) -> int:
    """A request is a list of words."""
    with socket.create_connection((stage["host"], stage["port"]), timeout=60) as connection, connection.makefile("rb") as answers:
        requests = 0
        for sequence in [[["AUTH", stage["username"], stage["password"]]], *stage["sequences"]]:
            connection.sendall(b"".join(_encoded(words) for words in sequence))
            for words in sequence:
                _skip(answers, words)
                requests += 1
    return requests


def _encoded(words: list[str]) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def _skip(answers: BufferedReader, words: list[str]) -> None:
    line = answers.readline()
    kind, number = line[:1], line[1:].strip()
    if kind == b"-":
        raise SystemExit(f"{' '.join(words[:2])} answered {line!r}")
    if kind == b"$" and int(number) >= 0:
        answers.read(int(number) + 2)
    elif kind == b"*":
        for _element in range(int(number)):
            _skip(answers, words)
