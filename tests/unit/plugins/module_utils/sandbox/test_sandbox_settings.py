# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sandbox lives, which ports it has, and what contradicts the one that is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import settings
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.catalogue import all_parts
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.context import Context
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts.toxiproxy import Toxiproxy


def mark(found: settings.Settings) -> None:
    found.data.mkdir(parents=True, exist_ok=True)
    (found.data / settings.MARKER).write_text(settings.marker_text(found))


def test_root_keeps_data_where_servers_reach_it_and_others_keep_it_in_the_folder(tmp_path: Path) -> None:
    folder = str(tmp_path / ".sandbox")
    assert settings.resolve(folder, None, None, root=False).data == tmp_path / ".sandbox/data"
    placed = settings.resolve(folder, None, None, root=True).data
    assert placed.parent == settings.SYSTEM_DATA
    assert placed.name.startswith(tmp_path.name.lower().replace("_", "-")[:10])


def test_two_checkouts_of_the_same_name_do_not_share(tmp_path: Path) -> None:
    names = {settings.sandbox_name(tmp_path / above / "ops/.sandbox") for above in ("a", "b")}
    assert len(names) == 2


def test_an_existing_sandbox_keeps_its_ports(tmp_path: Path) -> None:
    first = settings.resolve(str(tmp_path / "s"), None, 23000, root=False)
    mark(first)
    assert settings.resolve(str(tmp_path / "s"), None, None, root=False) == first
    with pytest.raises(OpsError, match="made on port base 23000, not 25000"):
        settings.resolve(str(tmp_path / "s"), None, 25000, root=False)


def test_data_of_another_sandbox_are_refused(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    mark(settings.resolve(str(tmp_path / "one"), data, None))
    with pytest.raises(OpsError, match="holds the data of another sandbox"):
        settings.resolve(str(tmp_path / "two"), data, None)


@pytest.mark.parametrize("base", [80, 32768, 32700, 65000])
def test_ports_that_do_not_fit_are_refused(tmp_path: Path, base: int) -> None:
    with pytest.raises(InvalidInput, match=f"sandbox_port_base is {base}"):
        settings.resolve(str(tmp_path / "s"), None, base, root=False)


def test_a_marker_that_cannot_be_read_is_an_error_and_not_a_new_sandbox(tmp_path: Path) -> None:
    (tmp_path / settings.MARKER).write_text("{")
    with pytest.raises(OpsError, match="cannot be read"):
        settings.read_marker(tmp_path)


def test_no_two_servers_share_a_port_and_all_lie_in_the_span(tmp_path: Path) -> None:
    context = Context(settings.resolve(str(tmp_path / "s"), None, 23000, root=False))
    ports = [port for part in all_parts(context) for port in part.ports]
    assert len(ports) == len(set(ports))
    assert min(ports) >= 23000
    assert max(ports) < 23000 + settings.PORT_SPAN


def test_every_proxy_leads_to_a_port_on_which_a_server_of_that_region_listens(tmp_path: Path) -> None:
    context = Context(settings.resolve(str(tmp_path / "s"), None, 23000, root=False))
    parts = all_parts(context)
    listening = {(part.component, part.region): part.ports[0] for part in parts if part.ports}
    proxies = [proxy for part in parts if isinstance(part, Toxiproxy) for proxy in part.proxies()]
    assert len(proxies) == 14
    assert all(listening[proxy.component, proxy.target_region] == proxy.upstream for proxy in proxies)
