#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_kubernetes
short_description: Reconcile tenants with a Kubernetes cluster
version_added: 0.1.0
description:
  - Gives each tenant a Namespace C(tenant-<id>) under the restricted Pod Security standard, with a ResourceQuota, a LimitRange, NetworkPolicies that
    deny by default, a ServiceAccount, Role and RoleBinding named C(tenant), the ConfigMap C(tenant-config) and the Secret C(tenant-credentials).
  - Writes with server-side apply as the field manager C(leanvibe.ops). Fields and objects of others are left alone; where others changed a field
    that is declared here, the declared value wins and the diff says from whom it was taken back.
  - Reads with one list request per kind, whatever the number of tenants, and writes only what differs.
  - A Namespace of that name that does not carry our labels is never taken over; the tenant is refused, with the way out.
  - Suspending a tenant removes its RoleBinding and all NetworkPolicies but the denying one, and sets its quota of pods to 0. Pods that run go on
    without network; its objects and its Secret stay.
  - A quota is never lowered below what is in use; the tenant is refused with the numbers.
  - Two ValidatingAdmissionPolicies, for the whole cluster, hold tenants' accounts to what RBAC cannot - which Secrets and ServiceAccounts their pods
    use, and which kinds of Services they create. Needs Kubernetes 1.30; on older clusters a note in RV(notes) says what is open.
options:
  phase:
    description:
      - V(prepare) comes before the other systems. It creates what is missing, in the home region also the Secret, with freshly generated
        credentials in state C(pending). Credentials are generated only if a successful read shows that there are none.
      - V(finish) comes after them. It marks the Secrets of the tenants in O(ready) as C(current) and copies each to the regions that are not
        its tenant's home, with these regions' endpoints.
    type: str
    required: true
    choices: [prepare, finish]
  ready:
    description: In O(phase=finish), the ids of the tenants for which all systems have succeeded.
    type: list
    elements: str
    default: []
  application_endpoints:
    description:
      - Where applications reach the systems, a dictionary from region to a dictionary with C(postgresql) (C(host), C(port), C(database), C(options)),
        C(redis) (C(host), C(port), C(tls)), C(object_store) (C(endpoint)) and, with O(neo4j_isolation=true), C(neo4j) (C(uri)).
      - When they change, the Secrets get the new addresses and keep their passwords.
    type: dict
    required: true
  neo4j_isolation:
    description: Whether Neo4j can hold a tenant to its own data. If not, its keys are left out of the Secret, because any account is an administrator.
    type: bool
    default: false
  network:
    description: Whom tenants' pods may talk to, besides the pods of their own namespace.
    type: dict
    suboptions:
      dns_namespace:
        description: Namespace of the cluster's DNS.
        type: str
        default: kube-system
      dns_labels:
        description: Labels of its pods.
        type: dict
        default: {k8s-app: kube-dns}
      platform_namespaces:
        description: The platform's namespaces, from and to which all traffic is allowed. They are selected by name.
        type: list
        elements: str
        default: [leanvibe-production]
      monitoring_namespaces:
        description: Namespaces from which tenants' pods may be scraped. They are selected by name.
        type: list
        elements: str
        default: [leanvibe-monitoring]
      egress:
        description: Addresses outside the cluster that tenants' pods may reach, such as databases.
        type: list
        elements: dict
        default: []
        suboptions:
          cidr:
            description: Block of addresses.
            type: str
            required: true
          ports:
            description: Ports there.
            type: list
            elements: dict
            required: true
            suboptions:
              port:
                description: Number of the port.
                type: int
                required: true
              protocol:
                description: Protocol.
                type: str
                choices: [TCP, UDP]
                default: TCP
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_kubernetes
  - leanvibe.ops.tenants
  - leanvibe.ops.tenants.secrets
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: leanvibe.ops.tenants_declared
author:
  - LeanVibe Operations (@leanvibe)
"""

EXAMPLES = r"""
- name: Prepare the declared tenants in one region
  leanvibe.ops.tenants_kubernetes:
    phase: prepare
    region: us-east-1
    connection:
      kubeconfig: ~/.kube/us-east-1
    tenants: "{{ declared.tenants }}"
    declared_ids: "{{ declared.ids }}"
    tiers: "{{ tiers_catalogue }}"
    application_endpoints: "{{ leanvibe_ops_application_endpoints }}"

- name: Mark the Secrets current after the other systems have been set
  leanvibe.ops.tenants_kubernetes:
    phase: finish
    ready: [acme, initech]
    region: us-west-2
    connection:
      kubeconfig: ~/.kube/us-west-2
    secrets:
      us-east-1:
        kubeconfig: ~/.kube/us-east-1
    tenants: "{{ declared.tenants }}"
    tiers: "{{ tiers_catalogue }}"
    application_endpoints: "{{ leanvibe_ops_application_endpoints }}"
"""

RETURN = r"""
system:
  description: Always V(kubernetes).
  type: str
  returned: success
region:
  description: Region that was worked on.
  type: str
  returned: success
results:
  description: One entry for each tenant, with C(tenant), C(verdict) (V(succeeded), V(failed), V(refused) or V(skipped)), C(changed), C(changes) and C(message).
  type: list
  elements: dict
  returned: success
  sample:
    - tenant: acme
      verdict: succeeded
      changed: true
      changes:
        - object: ResourceQuota tenant-acme/tenant-quota
          action: update
          fields: [spec.hard.pods]
      message: ""
undeclared:
  description: Ids of tenants that have a namespace of ours and are not declared. They are left alone.
  type: list
  elements: str
  returned: success
notes:
  description: What this cluster cannot do.
  type: list
  elements: str
  returned: success
observed:
  description: By tenant, what is there now, for the registry.
  type: dict
  returned: success
requests:
  description: Number of requests that were sent to this cluster.
  type: int
  returned: success
finished:
  description:
    - Whether O(phase=finish) has nothing left to do, whatever becomes of the other systems. After O(phase=prepare) only if nothing had to be changed and every
      tenant's Secret is in force and alike in all regions.
  type: bool
  returned: success
platform:
  description: Changes that belong to no tenant.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.tenants.arguments import KUBERNETES_CONNECTION, argument_spec
from ..module_utils.tenants.systems.kubernetes import run
from ..module_utils.tenants.systems.kubernetes_arguments import ARGUMENTS


def main() -> None:
    """Read the arguments, do the work, return the result."""
    module = AnsibleModule(argument_spec=argument_spec(connection=KUBERNETES_CONNECTION, **ARGUMENTS), supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode, diff=module._diff))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
