# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program: see the package. No import that is not needed for the stage at hand: start-up is not what is measured, but imports for the work are."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Carry the stages out and print ``{"requests": n}``."""
    requests = 0
    for stage in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["stages"]:
        if stage["kind"] == "http":
            from . import http as client
        elif stage["kind"] == "redis":
            from . import redis as client  # type: ignore[no-redef]
        elif stage["kind"] == "postgresql":
            from . import postgresql as client  # type: ignore[no-redef]
        else:
            from . import neo4j as client  # type: ignore[no-redef]
        requests += client.send(stage)
    print(json.dumps({"requests": requests}))


if __name__ == "__main__":
    main()
