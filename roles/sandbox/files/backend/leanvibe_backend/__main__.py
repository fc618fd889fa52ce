# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m leanvibe_backend api|worker|traffic <configuration file>``: one process, on loopback only."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import resource
from pathlib import Path

import uvicorn

from . import application, worker
from .configuration import load

# Whatever goes wrong in here must not cost the servers beside it more than this.
MEMORY_BYTES = 512 * 2**20
NICENESS = 5
REQUESTS_AT_ONCE = 64


def main() -> None:
    """Run until a signal ends it."""
    parser = argparse.ArgumentParser(prog="leanvibe_backend", description=__doc__)
    parser.add_argument("role", choices=["api", "worker", "traffic"])
    parser.add_argument("configuration", type=Path)
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    with contextlib.suppress(PermissionError):
        os.nice(NICENESS)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    configuration = load(given.configuration)
    if given.role == "api":
        app = application.api(configuration)
    elif given.role == "worker":
        app = application.background(configuration, worker.work(configuration))
    else:
        from . import traffic

        app = application.background(configuration, traffic.drive(configuration))
    uvicorn.run(
        app, host="127.0.0.1", port=configuration.port, log_level="warning", access_log=False, server_header=False, loop="asyncio", ws="websockets-sansio",
        limit_concurrency=REQUESTS_AT_ONCE, timeout_graceful_shutdown=2, ws_max_size=65536, lifespan="on",
    )  # fmt: skip


if __name__ == "__main__":
    main()
