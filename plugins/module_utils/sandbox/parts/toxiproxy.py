# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""toxiproxy: stands in front of what the application uses and on the links between regions, to cut or slow them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .. import files, web
from ..part import Part
from ..settings import REGIONS
from ..supervisor import Program
from ..waiting import NotReady

FRONTS = ("pgbouncer", "redis", "neo4j", "object_store", "backend")
LINKS = ("postgresql", "redis")


@dataclass(frozen=True)
class Proxy:
    """One proxied way from ``region`` to ``component`` in ``target_region``: the application's front, or a link between regions."""

    name: str
    region: str
    component: str
    target_region: str
    listen: int
    upstream: int


@dataclass(frozen=True)
class ProxyState:
    """What toxiproxy says about a way. ``latency_ms`` is None when nothing slows it."""

    proxy: Proxy
    cut: bool
    latency_ms: int | None

    @property
    def state(self) -> str:
        """``open``, ``cut`` or ``slow``."""
        return "cut" if self.cut else "slow" if self.latency_ms is not None else "open"


class Toxiproxy(Part):
    """One per region; it only sees TCP, so TLS passes through to the server behind it."""

    component = "toxiproxy"
    system = "toxiproxy"
    # Its API brings the proxies into place while it runs.
    when_changed = ""

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("toxiproxy", self.region), *(proxy.listen for proxy in self.proxies()))

    def proxies(self) -> tuple[Proxy, ...]:
        """The ways that start in this region."""
        region = str(self.region)
        other = next(name for name in REGIONS if name != region)
        port = self.context.port
        fronts = (Proxy(f"{name}_front", region, name, region, port(f"front_{name}", region), port(name, region)) for name in FRONTS)
        links = (Proxy(f"{name}_link", region, name, other, port(f"link_{name}", region), port(name, other)) for name in LINKS)
        return (*fronts, *links)

    def prepare(self) -> list[str]:
        done = ["folder made"] if files.directory(self.home, 0o700, self.account) else []
        proxies = [self._declared(proxy) for proxy in self.proxies()]
        if files.write(self.home / "proxies.json", json.dumps(proxies, indent=2) + "\n", 0o600, self.account):
            done.append("proxies written")
        return done

    @staticmethod
    def _declared(proxy: Proxy) -> dict[str, Any]:
        return {"name": proxy.name, "listen": f"127.0.0.1:{proxy.listen}", "upstream": f"127.0.0.1:{proxy.upstream}", "enabled": True}

    def program(self) -> Program:
        argv = (str(self.context.binary("toxiproxy-server")), "-host", "127.0.0.1", "-port", str(self.ports[0]), "-config", str(self.home / "proxies.json"))
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name, environment={"LOG_LEVEL": "warn"})

    def _api(self, method: str, path: str, body: object = None, timeout: float = 5.0) -> Any:
        answer = web.request(
            method,
            f"http://127.0.0.1:{self.ports[0]}{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            timeout=timeout,
        )
        if answer.status >= 300:
            raise NotReady(f"toxiproxy in {self.region} answers {answer.status} to {method} {path}: {answer.body[:300].decode(errors='replace')}")
        return answer.json() if answer.body else None

    def probe(self, timeout: float = 5.0) -> str:
        answer = web.request("GET", f"http://127.0.0.1:{self.ports[0]}/version", timeout=timeout)
        if answer.status != 200:
            raise NotReady(f"toxiproxy in {self.region} answers {answer.status}")
        return answer.body.decode().strip().removeprefix("v")

    def states(self, timeout: float = 5.0) -> list[ProxyState]:
        """How each way is now; one that toxiproxy does not know counts as cut. Raises NotReady."""
        known = self._api("GET", "/proxies", timeout=timeout)
        return [self._state(proxy, known.get(proxy.name)) for proxy in self.proxies()]

    @staticmethod
    def _state(proxy: Proxy, found: dict[str, Any] | None) -> ProxyState:
        if found is None:
            return ProxyState(proxy, True, None)
        delays = [toxic["attributes"]["latency"] for toxic in found.get("toxics", []) if toxic["type"] == "latency"]
        return ProxyState(proxy, not found["enabled"], max(delays) if delays else None)

    def cut(self, name: str) -> None:
        """Break what is connected and refuse what comes."""
        self._api("POST", f"/proxies/{name}", {"enabled": False})

    def slow(self, name: str, latency_ms: int) -> None:
        """Delay what the servers answer by ``latency_ms``; replaces an earlier delay."""
        self._drop_delays(name)
        delay = {"name": "slow", "type": "latency", "stream": "downstream", "attributes": {"latency": latency_ms, "jitter": 0}}
        self._api("POST", f"/proxies/{name}/toxics", delay)

    def _drop_delays(self, name: str) -> None:
        for toxic in self._api("GET", f"/proxies/{name}/toxics"):
            self._api("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")

    def heal(self, name: str) -> bool:
        """Open the way and take every delay away; True if there was something to heal."""
        state = next(item for item in self.states() if item.proxy.name == name)
        if state.state == "open":
            return False
        self._drop_delays(name)
        self._api("POST", f"/proxies/{name}", {"enabled": True})
        return True

    def configure(self) -> list[str]:
        declared = {proxy.name for proxy in self.proxies()}
        known = set(self._api("GET", "/proxies"))
        strange, missing = sorted(known - declared), declared - known
        for name in strange:
            self._api("DELETE", f"/proxies/{name}")
        if missing:
            self._api("POST", "/populate", [self._declared(proxy) for proxy in self.proxies() if proxy.name in missing])
        healed = [proxy.name for proxy in self.proxies() if self.heal(proxy.name)]
        return [*(f"{name} removed" for name in strange), *(f"{name} proxied" for name in sorted(missing)), *(f"{name} healed" for name in healed)]
