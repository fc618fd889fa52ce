#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_kubernetes
short_description: Check the health of one Kubernetes cluster
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at one cluster. The API server and its controllers, nodes, workloads and pods, Jobs and CronJobs, claims of volumes, quotas, disruption budgets,
    admission webhooks, the policies that hold tenants, warnings that go on, certificates, and versions of the API that will be removed.
  - Reads each kind once for the whole cluster, in pages, whatever the number of tenants. What happens in a tenant's namespace names the tenant.
  - Nothing has to run in namespaces of suspended tenants and in those that are being deleted.
  - O(options) says what is particular about this cluster. C(controllers) (a dictionary from names of controllers to addresses that answer 200 when they are
    well, for clusters whose controllers elect no leader), C(tls_secrets) (a list of C(namespace/name); without it, all Secrets of type
    C(kubernetes.io/tls); with an empty list, none), C(restart_hours) (default 1), C(event_hours) (default 3), C(event_lasting_minutes) (default 10),
    C(grace_minutes) (default 3) and C(rollout_minutes) (default 10) that pods of a workload may be missing, C(unseen_minutes) (default 5) that a controller
    may take to look at a change.
  - Changes nothing. Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - The rights that it needs are the ClusterRole C(leanvibe-health-reader), shown in docs/runbooks/kubernetes.md. It shows no Secrets.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
  - leanvibe.ops.connection_kubernetes
attributes:
  check_mode:
    support: full
    details: It does the same as without.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Look at the cluster of this region
  leanvibe.ops.health_kubernetes:
    region: us-east-1
    connection:
      kubeconfig: ~/.kube/us-east-1
    options:
      tls_secrets: [istio-system/gateway-tls]
  register: __health_run
"""

RETURN = r"""
run:
  description: What became of the checks.
  returned: success
  type: dict
  contains:
    system:
      description: Which system this is.
      type: str
      sample: kubernetes
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: kubernetes.nodes_ready, subject: us-east-1/kubernetes, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: kubernetes.nodes_ready, place: us-east-1/kubernetes, outcome: executed, seconds: 0.01, reason: ""}]
    facts:
      description: What comparisons between regions need to know.
      type: dict
      sample: {version: {major: 1, minor: 36, release: v1.36.3}}
    seconds:
      description: How long all of it took.
      type: float
      sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.diagnosis.kubernetes import IN_DEPTH
from ..module_utils.health.arguments import HEALTH, run_from
from ..module_utils.health.systems.kubernetes import CHECKS
from ..module_utils.health.systems.kubernetes.cluster import SYSTEM
from ..module_utils.health.systems.kubernetes.link import link
from ..module_utils.tenants.arguments import KUBERNETES_CONNECTION


def main() -> None:
    """Read the arguments, look, return what was found."""
    connection = {"type": "dict", "required": True, "options": KUBERNETES_CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, SYSTEM, (*CHECKS, *IN_DEPTH), link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
