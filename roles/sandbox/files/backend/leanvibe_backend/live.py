# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket: the token is the first message, so that it stands in no address and in no log; then every message is answered."""

from __future__ import annotations

import asyncio
import json
import time

from starlette.websockets import WebSocket, WebSocketDisconnect

from . import tokens
from .access import services
from .metrics import SOCKETS

FIRST_MESSAGE_SECONDS = 5.0
IDLE_SECONDS = 120.0
CONNECTIONS = 100
# Private codes (RFC 6455, 7.4.2), named for their HTTP kin.
UNAUTHENTICATED, TIMED_OUT, TOO_MANY = 4401, 4408, 4429
_open: set[WebSocket] = set()


async def live(websocket: WebSocket) -> None:
    """``{"token": …}`` first; then ``{"type": "ping"}`` is answered by ``{"type": "pong"}``, anything else by an error."""
    await websocket.accept()
    if len(_open) >= CONNECTIONS:
        await websocket.close(TOO_MANY)
        return
    _open.add(websocket)
    SOCKETS.set(len(_open))
    try:
        await _serve(websocket)
    except TimeoutError:
        await websocket.close(TIMED_OUT)
    except WebSocketDisconnect:
        return
    finally:
        _open.discard(websocket)
        SOCKETS.set(len(_open))


async def _serve(websocket: WebSocket) -> None:
    try:
        first = _object(await asyncio.wait_for(websocket.receive_text(), FIRST_MESSAGE_SECONDS))
        principal = tokens.verify(services(websocket).configuration.signing_key, str(first.get("token", "")))
    except tokens.Refused:
        await websocket.close(UNAUTHENTICATED)
        return
    await websocket.send_json({"type": "ready", "tenant": principal.tenant})
    while True:
        said = _object(await asyncio.wait_for(websocket.receive_text(), IDLE_SECONDS))
        if said.get("type") == "ping":
            await websocket.send_json({"type": "pong", "at": time.time()})
        else:
            await websocket.send_json({"type": "error", "detail": "only ping is understood"})


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
