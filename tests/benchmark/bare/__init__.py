# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare client: sends requests that are given to it, so many at a time, and does nothing else. The floor that our modules are held against.

``python -m benchmark.bare FILE``; the file holds ``{"stages": [stage, …]}``, carried out one after another. A stage is ``{"kind": …, …}`` and
its ``sequences`` are lists of requests; requests of a sequence follow one another, ``concurrency`` sequences are under way. Prints what it counted.
"""
