# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket, as users use it: connect, say who one is, ask, be answered."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ....common.errors import Unreachable
from ....common.lazy import LazyModule
from ....reports.model import CRITICAL
from ...model import Finding, NoData, Threshold
from ...reading import json_of
from .access import GRANTS
from .service import Run, check, probe_token

if TYPE_CHECKING:
    from websockets import exceptions
    from websockets.sync import client
else:
    client, exceptions = LazyModule("websockets.sync.client"), LazyModule("websockets.exceptions")

PATH = "/ws"


def _said(socket: Any, seconds: float, where: str) -> str:
    found = json_of(socket.recv(timeout=seconds), where)
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise NoData(f"{where} said something else than a message with a type")
    return str(found["type"])


def _websocket(session: Run) -> Iterator[Finding]:
    token = probe_token(session)
    users = session.client.users
    where = users.base.replace("http", "ws", 1) + PATH
    context = ssl.create_default_context(cafile=users.ca_file) if users.tls else None
    began = time.monotonic()
    try:
        with client.connect(where, ssl=context, open_timeout=users.seconds, close_timeout=1, max_size=65536, proxy=None) as socket:
            socket.send(json.dumps({"token": token}))
            heard = [_said(socket, users.seconds, where)]
            socket.send(json.dumps({"type": "ping"}))
            heard.append(_said(socket, users.seconds, where))
    except (exceptions.InvalidStatus, exceptions.InvalidMessage, exceptions.ConnectionClosed) as error:
        yield Finding(verdict=CRITICAL, message=f"{where}: {error}")
        return
    except TimeoutError as error:
        raise Unreachable(f"{where} did not answer within {users.seconds:g} s") from error
    except OSError as error:
        raise Unreachable(f"{where} did not answer: {error or type(error).__name__}") from error
    if heard != ["ready", "pong"]:
        yield Finding(verdict=CRITICAL, message=f"{where} said {' and '.join(heard)} where ready and pong were expected")
        return
    took = time.monotonic() - began
    yield Finding(observed=round(took, 4), message=f"connected, signed in and answered in {took:.3f} s")


CHECKS = (
    check("websocket", "Does the WebSocket connect, take a token and answer?", _websocket, "python -m websockets ws(s)://HOST/ws",
          Threshold(degraded=1, critical=3, unit="s", source="ours: three small exchanges, for people who wait for them"), timeout=10.0, grants=GRANTS),
)  # fmt: skip
