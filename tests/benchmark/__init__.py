# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: our operations beside what a user would do otherwise, in one run. ``PYTHONPATH=tests python -m benchmark --help``."""
