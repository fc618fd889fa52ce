# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's backend service: an API that works for one tenant at a time, its worker, and light traffic through both."""

from __future__ import annotations

VERSION = "0.1.0"
