# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser (Chromium without a window) for the pages of reports. As a program: pictures of a page, `python browser.py page.html folder`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from extra_programs import program
from playwright.sync_api import Browser, sync_playwright

PROGRAM = "chromium-headless-shell"
DESKTOP, PHONE = {"width": 1200, "height": 900}, {"width": 375, "height": 720}


@contextmanager
def started() -> Iterator[Browser]:
    # Its own sandbox needs rights that containers and root's sessions do not have; what it shows here is ours.
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=program(PROGRAM), chromium_sandbox=False)
        try:
            yield browser
        finally:
            browser.close()


def pictures(browser: Browser, page: Path, folder: Path) -> list[Path]:
    """health-light.png, health-dark.png and health-phone.png."""
    made = []
    folder.mkdir(parents=True, exist_ok=True)
    looks: tuple[tuple[str, dict[str, int], Any], ...] = (("light", DESKTOP, "light"), ("dark", DESKTOP, "dark"), ("phone", PHONE, "light"))
    for name, size, scheme in looks:
        shown = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        shown.goto(page.resolve().as_uri())
        made.append(folder / f"health-{name}.png")
        shown.screenshot(path=made[-1])
        shown.close()
    return made


if __name__ == "__main__":
    with started() as chromium:
        for picture in pictures(chromium, Path(sys.argv[1]), Path(sys.argv[2])):
            sys.stdout.write(f"{picture}\n")
