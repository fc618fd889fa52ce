# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that are imported when they are first used.

Ansible reads a module's arguments without them, a module that has nothing to do does not pay for them, and where one is missing the operator is told
which and how to get it.
"""

from __future__ import annotations

import importlib
import threading
from types import ModuleType
from typing import Any

from .errors import OpsError

# Threads that import packages that import each other's parts may end in Python's "deadlock detected" (urllib3 beside botocore did).
_IMPORTING = threading.RLock()


class LazyModule:
    """Stands for the module ``name`` until one of its attributes is asked for. Raises OpsError then if it is not installed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.load(), attribute)

    def load(self) -> ModuleType:
        """Import it now, if that has not been done. Raises OpsError."""
        if self._module is None:
            self._module = self._import()
        return self._module

    def _import(self) -> ModuleType:
        try:
            with _IMPORTING:
                return importlib.import_module(self._name)
        except ImportError as error:
            package = self._name.split(".", 1)[0]
            raise OpsError(
                f"The Python package {package} is needed here and cannot be imported ({error}). Install the collection's requirements into the Python "
                "that runs Ansible: pip install -r requirements/runtime.txt (in a checkout: scripts/bootstrap prepares .venv)."
            ) from error
