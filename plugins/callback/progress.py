# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Show how far long work is while its task still runs
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Modules of this collection append their progress to files in a temporary folder, whose name they inherit in the environment
    variable E(LEANVIBE_OPS_PROGRESS_DIR); this plugin makes the folder, shows what is written there, and removes it at the end of the playbook.
  - A new step is shown at once, the same step again at most every five seconds, after a minute every fifteen. Lines go where the other output goes.
  - Works for modules that run on the controller by the local connection and without C(become), which would drop the environment.
requirements:
  - enabling in the configuration, C(callbacks_enabled = leanvibe.ops.progress)
options:
  enabled:
    description: Whether progress is shown.
    type: bool
    default: true
    env:
      - name: LEANVIBE_OPS_PROGRESS
    ini:
      - section: callback_leanvibe_ops_progress
        key: enabled
"""

import atexit
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

from ..module_utils.common.progress import FOLDER_VARIABLE
from ..module_utils.common.progress_reader import Reader

SECONDS_BETWEEN_POLLS = 0.25
SECONDS_TO_STOP = 5.0


class CallbackModule(CallbackBase):
    """Shows the progress files of the running playbook's modules."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "leanvibe.ops.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder: Path | None = None
        self._owner = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002
        """Make the folder, name it to the workers, begin to read."""
        if self._folder is not None or not self.get_option("enabled"):
            return
        self._folder = Path(tempfile.mkdtemp(prefix="leanvibe-ops-progress-"))
        self._owner = os.getpid()
        os.environ[FOLDER_VARIABLE] = str(self._folder)
        atexit.register(self._finish)
        self._stop.clear()
        self._thread = threading.Thread(target=self._follow, args=(Reader(self._folder),), name="leanvibe.ops.progress", daemon=True)
        self._thread.start()

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002
        """Clean up."""
        self._finish()

    def _follow(self, reader: Reader) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_POLLS):
            for line in reader.poll(time.monotonic()):
                self._display.display(f"    {line}")

    def _finish(self) -> None:
        """Also called when the playbook ends without statistics. A forked worker must leave its parent's folder alone."""
        if self._folder is None or os.getpid() != self._owner:
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join(SECONDS_TO_STOP)
        os.environ.pop(FOLDER_VARIABLE, None)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._thread = None
        atexit.unregister(self._finish)
