#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox_binaries
short_description: Find, build or install the programs that the sandbox runs
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Looks for each program in this order and takes the first whose version is compatible - one named in the environment variable
    C(LEANVIBE_OPS_<NAME>) (upper case, C(_) for C(-), as in E(LEANVIBE_OPS_KUBE_APISERVER)), E(KUBEBUILDER_ASSETS), the cache of earlier builds,
    C(PATH). Compatible is the same minor version, or for what Debian packages the same major version and not an older minor one.
  - What is nowhere is built from pinned and verified sources by Go or put together by Maven, one after another, into a cache outside the
    checkout; a build that was killed is never taken for one, and two runs wait for one another.
  - PostgreSQL, pgBackRest, PgBouncer, Redis and OpenSSL come from Debian's packages. As root, missing ones are installed, and none of their
    services is started; packages and database clusters that are there already are left alone.
  - Fails before anything is built or installed when a prerequisite is missing (Go, Java, Maven, packages without root), naming all of them and
    the commands that mend it. A variable that names an unsuitable program is an error, too.
  - Shows its progress when the callback P(leanvibe.ops.progress#callback) is enabled.
options:
  builds_dir:
    description: Folder of the pinned recipes, which is C(files/builds) of the role P(leanvibe.ops.sandbox#role).
    type: path
    required: true
  cache_dir:
    description: Where builds and their logs are kept. By default E(LEANVIBE_OPS_CACHE), else C(leanvibe.ops) below E(XDG_CACHE_HOME) or C(~/.cache).
    type: path
  only:
    description: Names of programs, if not all are needed.
    type: list
    elements: str
  state:
    description: Programs are there.
    type: str
    choices: [present]
    default: present
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have every program of the sandbox
  leanvibe.ops.sandbox_binaries:
    builds_dir: "{{ role_path }}/files/builds"
  register: programs

- name: Use another kubectl, have only what a cluster needs
  leanvibe.ops.sandbox_binaries:
    builds_dir: "{{ role_path }}/files/builds"
    only: [etcd, kube-apiserver, kubectl]
  environment:
    LEANVIBE_OPS_KUBECTL: /opt/kubernetes/bin/kubectl
"""

RETURN = r"""
binaries:
  description:
    - For each program by its name, where it is, or in check mode would be.
    - C(neo4j) is a folder of jars, the server's launcher among them.
  returned: success
  type: dict
  contains:
    path:
      description: Absolute path.
      type: str
    version:
      description: Version that was found, built or installed; the wanted one if that is still to be done.
      type: str
    source:
      description: Where it is from, V(built), V(found) or V(debian).
      type: str
    detail:
      description: How it was found or made, and why another one that was found is not used.
      type: str
  sample:
    etcd:
      path: /home/ana/.cache/leanvibe.ops/binaries/etcd/3.6.8-go1.26.8/bin/etcd
      version: 3.6.8
      source: built
      detail: built before
problems:
  description: Everything that keeps the programs from being built or installed.
  returned: failure
  type: list
  elements: str
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.sandbox.binaries import ensure, planning
from ..module_utils.sandbox.binaries.cache import Cache, default_root
from ..module_utils.sandbox.binaries.catalogue import select


def main() -> None:
    """Plan, and unless in check mode carry it out."""
    module = AnsibleModule(
        argument_spec={
            "builds_dir": {"type": "path", "required": True},
            "cache_dir": {"type": "path"},
            "only": {"type": "list", "elements": "str"},
            "state": {"type": "str", "choices": ["present"], "default": "present"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        cache = Cache(Path(params["cache_dir"]) if params["cache_dir"] else default_root(os.environ))
        machine = planning.Machine(os.environ, cache, Path(params["builds_dir"]))
        plan = planning.plan(select(params["only"]), machine)
        changed = ensure.changes(plan) if module.check_mode else ensure.apply(plan, machine)
        binaries = ensure.as_result(plan, machine, applied=not module.check_mode)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(changed=changed, binaries=binaries, diff=ensure.diff(plan))


if __name__ == "__main__":
    main()
