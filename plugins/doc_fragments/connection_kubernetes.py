# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The Kubernetes API of one region."""

    DOCUMENTATION = r"""
options:
  connection:
    description: The Kubernetes API of this region.
    type: dict
    required: true
    suboptions:
      kubeconfig:
        description:
          - Path of a kubeconfig file on the controller. Whatever it names is used, also exec plugins for short-lived tokens.
        type: path
        required: true
      context:
        description: Context of the kubeconfig. If not given, its current context.
        type: str
"""
