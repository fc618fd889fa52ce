# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house keeps its rules, and every rule is shown to notice its breach."""

from __future__ import annotations

from pathlib import Path

import house
import pytest

ROOT = Path(__file__).resolve().parents[2]

BREACHES = {
    "size of a file": (house.python_sizes, {"plugins/module_utils/x.py": "a = 1\n" * 401}),
    "size of main": (house.python_sizes, {"plugins/modules/x.py": "def main():\n" + "    a = 1\n" * 31}),
    "AnsibleModule in module_utils": (house.python_purity, {"plugins/module_utils/x.py": "def f(m):\n    return AnsibleModule\n"}),
    "fail_json in module_utils": (house.python_purity, {"plugins/module_utils/x.py": "def f(m):\n    m.fail_json(msg='')\n"}),
    "absolute import": (house.python_purity, {"plugins/modules/x.py": "from ansible_collections.leanvibe.ops.plugins.module_utils import y\n"}),
    "stub": (house.python_purity, {"plugins/module_utils/x.py": "def f():\n    raise NotImplementedError\n"}),
    "swallowed error": (house.swallowed_errors, {"plugins/module_utils/x.py": "try:\n    a = 1\nexcept Exception:\n    pass\n"}),
    "bare except": (house.swallowed_errors, {"tests/x.py": "try:\n    a = 1\nexcept:\n    a = 2\n"}),
    "query by f-string": (house.built_queries, {"plugins/module_utils/x.py": "c.execute(f'SELECT {a}')\n"}),
    "query by addition": (house.built_queries, {"plugins/module_utils/x.py": "c.execute('DROP ROLE ' + a)\n"}),
    "query by format": (house.built_queries, {"plugins/module_utils/x.py": "c.run('MATCH (n:{})'.format(a))\n"}),
    "shell": (house.built_queries, {"scripts/x.py": "subprocess.run(a, " + "shell=True)\n"}),
    "TLS not verified": (house.built_queries, {"plugins/module_utils/x.py": "get(a, " + "verify=False)\n"}),
    "test without assertion": (house.empty_tests, {"tests/test_x.py": "def test_x():\n    a = 1\n"}),
    "test of a constant": (house.empty_tests, {"tests/test_x.py": "def test_x():\n    assert True\n"}),
    "ignored error": (house.playbook_text, {"roles/x/tasks/main.yml": "- name: X\n  ignore_errors: " + "true\n"}),
    "never failing": (house.playbook_text, {"playbooks/x.yml": "  failed_when: " + "false\n"}),
    "loop over tenants": (house.playbook_text, {"roles/x/tasks/main.yml": '  loop: "{{ tenants }}"\n'}),
    "left for later": (house.left_overs, {"roles/x/tasks/main.yml": "# TO" + "DO: more\n"}),
    "roles_path": (house.configuration, {"ansible.cfg": "collections_path = collections\nroles_path = roles\n"}),
    "no links": (house.links, {"ansible.cfg": ""}),
}


def test_house_rules_are_kept() -> None:
    findings = house.check(house.Tree.of_checkout(ROOT))
    assert not findings, "\n".join(str(finding) for finding in findings)


@pytest.mark.parametrize("breach", sorted(BREACHES))
def test_rule_notices_its_breach(breach: str, tmp_path: Path) -> None:
    rule, files = BREACHES[breach]
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert house.check(house.Tree.of_folder(tmp_path), (rule,))


def test_every_rule_is_shown_to_notice() -> None:
    assert {rule for rule, _files in BREACHES.values()} == set(house.RULES)


def test_reasoned_exception_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/x.py").write_text("try:\n    a = 1\nexcept:  # house: shown in the test of the rules\n    a = 2\n", encoding="utf-8")
    assert not house.check(house.Tree.of_folder(tmp_path), (house.swallowed_errors,))


def test_link_that_is_a_copy_or_leads_elsewhere_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "collections/ansible_collections/leanvibe/ops"
    folder.mkdir(parents=True)
    for name in house.LINKS:
        (folder / name).symlink_to(f"../../../../{name}" if name != "roles" else "../../../..")
    assert [finding.path.rsplit("/", 1)[1] for finding in house.links(house.Tree.of_folder(tmp_path))] == ["roles"]
