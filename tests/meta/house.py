# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house as small functions: each takes a tree and yields findings ``path:line: rule: what``.

A line that is right as it is says why in a comment that begins with ``house:``.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LINKS = ("meta", "plugins", "roles", "playbooks")
QUERY_WORD = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|TRUNCATE|MATCH|MERGE|SET)\s", re.IGNORECASE)
MODULE_LIMIT = 400
FUNCTION_LIMIT = 60
MAIN_LIMIT = 30


@dataclass(frozen=True)
class Finding:
    """One departure from a rule."""

    path: str
    line: int
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.what}"


@dataclass(frozen=True)
class Tree:
    """A checkout and the files that belong to it (relative, as POSIX paths)."""

    root: Path
    files: tuple[str, ...]

    @classmethod
    def of_checkout(cls, root: Path) -> Tree:
        """Everything git tracks or would track."""
        listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True).stdout
        return cls(root, tuple(name for name in sorted(listing.splitlines()) if (root / name).is_file()))

    @classmethod
    def of_folder(cls, root: Path) -> Tree:
        """Every file below a folder (used by the rules' own tests)."""
        return cls(root, tuple(sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())))

    def text(self, name: str) -> str:
        """A file's text."""
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def below(self, prefix: str, *suffixes: str) -> Iterator[str]:
        """The files below a folder with one of these endings."""
        return (name for name in self.files if name.startswith(prefix) and name.endswith(suffixes or ("",)))


Rule = Callable[[Tree], Iterator[Finding]]


def links(tree: Tree) -> Iterator[Finding]:
    """The in-tree collection is four relative links and nothing else; none leads to its own ancestor."""
    folder = tree.root / "collections/ansible_collections/leanvibe/ops"
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(set(LINKS) ^ present):
        yield Finding(f"collections/ansible_collections/leanvibe/ops/{name}", 0, "links", "missing" if name in LINKS else "only the four links belong here")
    for name in sorted(present & set(LINKS)):
        link = folder / name
        if not link.is_symlink() or str(link.readlink()) != f"../../../../{name}":
            yield Finding(str(link.relative_to(tree.root)), 0, "links", f"must be a relative link to ../../../../{name}")
        elif link.resolve() in folder.resolve().parents:
            yield Finding(str(link.relative_to(tree.root)), 0, "links", "leads to an ancestor of itself")


def configuration(tree: Tree) -> Iterator[Finding]:
    """ansible.cfg finds our roles by their full names only and keeps host keys checked."""
    text = tree.text("ansible.cfg") if "ansible.cfg" in tree.files else ""
    if "collections_path = collections" not in text:
        yield Finding("ansible.cfg", 0, "configuration", "collections_path = collections is missing")
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(roles_path|library|hash_behaviour|host_key_checking\s*=\s*(no|false))", line, re.IGNORECASE):
            yield Finding("ansible.cfg", number, "configuration", line.strip())


def _calls(node: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            yield getattr(child.func, "attr", getattr(child.func, "id", "")), child


def python_sizes(tree: Tree) -> Iterator[Finding]:
    """A plugin file has one reason to change; a module's main() only connects."""
    for name in tree.below("plugins/", ".py"):
        text = tree.text(name)
        lines = text.count("\n")
        if lines > MODULE_LIMIT:
            yield Finding(name, 0, "size", f"{lines} lines, at most {MODULE_LIMIT}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                limit = MAIN_LIMIT if name.startswith("plugins/modules/") and node.name == "main" else FUNCTION_LIMIT
                if length > limit:
                    yield Finding(name, node.lineno, "size", f"{node.name}() has {length} lines, at most {limit}")


def python_purity(tree: Tree) -> Iterator[Finding]:
    """module_utils never sees an AnsibleModule; imports inside plugins/ are relative; nothing shipped is a stub."""
    for name in tree.below("plugins/", ".py"):
        for node in ast.walk(ast.parse(tree.text(name))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ansible_collections.leanvibe.ops"):
                yield Finding(name, node.lineno, "imports", "imports of our own code are relative")
            if name.startswith("plugins/module_utils/"):
                if isinstance(node, ast.Name) and node.id == "AnsibleModule":
                    yield Finding(name, node.lineno, "pure-utils", "AnsibleModule")
                if isinstance(node, ast.Attribute) and node.attr in ("exit_json", "fail_json"):
                    yield Finding(name, node.lineno, "pure-utils", node.attr)
            if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.dump(node.exc):
                yield Finding(name, node.lineno, "stub", "NotImplementedError")


def swallowed_errors(tree: Tree) -> Iterator[Finding]:
    """No error disappears: no bare except, no broad except that does nothing."""
    for name in (name for name in tree.files if name.endswith(".py")):
        for node in ast.walk(ast.parse(tree.text(name))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            idle = all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
            if node.type is None or (broad and idle):
                yield Finding(name, node.lineno, "swallowed-error", "an except that hides every error")


def built_queries(tree: Tree) -> Iterator[Finding]:
    """SQL, Cypher and commands are never put together from strings; TLS is verified; no shell."""
    for name in (name for name in tree.files if name.endswith(".py")):
        for called, call in _calls(ast.parse(tree.text(name))):
            first = call.args[0] if call.args else None
            formatted = (
                isinstance(first, ast.Call) and getattr(first.func, "attr", "") == "format" and isinstance(getattr(first.func, "value", None), ast.Constant)
            )
            if (
                called in ("execute", "executemany", "execute_query", "run", "stream")
                and first is not None
                and (isinstance(first, ast.JoinedStr | ast.BinOp) or formatted)
            ):
                words = " ".join(str(part.value) for part in ast.walk(first) if isinstance(part, ast.Constant))
                if QUERY_WORD.search(words):
                    yield Finding(name, call.lineno, "built-query", "a query put together from strings")
            for keyword in call.keywords:
                constant = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if keyword.arg == "shell" and constant is True:
                    yield Finding(name, call.lineno, "shell", "shell=True")
                if keyword.arg in ("verify", "verify_ssl") and constant is False:
                    yield Finding(name, call.lineno, "tls", f"{keyword.arg}=False")


def empty_tests(tree: Tree) -> Iterator[Finding]:
    """A test that asserts nothing is a defect."""
    for name in tree.below("tests/", ".py"):
        for node in ast.walk(ast.parse(tree.text(name))):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            asserts = [child for child in ast.walk(node) if isinstance(child, ast.Assert)]
            checked = any(re.match(r"(assert|raises|warns|fail|check|expect|verify)", called) for called, _call in _calls(node))
            if any(isinstance(check.test, ast.Constant) and check.test.value for check in asserts):
                yield Finding(name, node.lineno, "empty-test", f"{node.name} asserts a constant")
            elif not asserts and not checked:
                yield Finding(name, node.lineno, "empty-test", f"{node.name} asserts nothing")


YAML_RULES = (
    (re.compile(r"\s*(-\s+)?ignore_errors:\s*(true|yes)"), "swallowed-error", "ignore_errors"),
    (re.compile(r"\s*(-\s+)?failed_when:\s*(false|no)\s*$"), "swallowed-error", "failed_when: false"),
    (re.compile(r"\s*(-\s+)?(ansible\.builtin\.)?shell:"), "shell", "the shell module"),
    (re.compile(r"\s*(loop|with_items):.*\btenants\b"), "per-tenant-loop", "operations on tenants take the list"),
)


def playbook_text(tree: Tree) -> Iterator[Finding]:
    """Roles, playbooks and scenarios hide no error, use no shell, and do not loop over tenants."""
    for name in tree.files:
        if name.startswith(("roles/", "playbooks/", "molecule/")) and name.endswith((".yml", ".yaml")):
            for number, line in enumerate(tree.text(name).splitlines(), 1):
                for pattern, rule, what in YAML_RULES:
                    if pattern.match(line):
                        yield Finding(name, number, rule, what)


def left_overs(tree: Tree) -> Iterator[Finding]:
    """Nothing is left for later in a comment."""
    marker = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
    for name in tree.files:
        if name.endswith((".py", ".yml", ".yaml", ".sh", ".toml", ".cfg", ".j2", ".java", ".go")) or name.startswith("scripts/"):
            for number, line in enumerate(tree.text(name).splitlines(), 1):
                if marker.search(line):
                    yield Finding(name, number, "left-over", line.strip()[:80])


RULES: tuple[Rule, ...] = (
    links,
    configuration,
    python_sizes,
    python_purity,
    swallowed_errors,
    built_queries,
    empty_tests,
    playbook_text,
    left_overs,
)


def check(tree: Tree, rules: tuple[Rule, ...] = RULES) -> list[Finding]:
    """All findings of these rules, without the lines that say ``house:`` why they are right."""
    findings = []
    for rule in rules:
        for finding in rule(tree):
            if finding.line and "house:" in tree.text(finding.path).splitlines()[finding.line - 1]:
                continue
            findings.append(finding)
    return findings
