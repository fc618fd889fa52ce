# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for each system: nothing where all is as it should be, what differs where not, and never an account that has more to do than to look."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.aws import AwsError
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import ADMIN, Account
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems import aws_rights, neo4j_rights
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import rights
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis_rights import READ_ONLY_RULES
from ansible_collections.leanvibe.ops.plugins.module_utils.health_reader import (
    iam,
    kubernetes,
    neo4j,
    object_store,
    pgbouncer,
    postgresql,
    redis,
    registry,
    reporting,
)
from ansible_collections.leanvibe.ops.plugins.module_utils.health_reader.model import Plan, Reader, nobody
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.redis_acl import AclUser, Catalogue

PASSWORD = "recognisable-and-secret"
HEALTH = Reader("health", PASSWORD)


def objects(plan: Plan) -> list[tuple[str, str, tuple[str, ...]]]:
    """What is changed, and that no secret is in what is returned."""
    assert PASSWORD not in json.dumps(plan.to_exit("x", "us-east-1"))
    assert PASSWORD not in repr(HEALTH)
    return [(change.object, change.action, tuple(change.fields)) for change in plan.changes]


@pytest.mark.parametrize("name", ["operations", "tenant-acme", "tenant_acme"])
def test_an_account_that_has_more_to_do_is_refused_everywhere(name: str) -> None:
    reader = Reader(name, PASSWORD)
    plans = [
        redis.plan(reader, "operations", redis.Actual(None, Catalogue({}))),
        neo4j.plan(reader, "health", "operations", neo4j.Actual(None, None)),
        postgresql.plan(reader, "operations", postgresql.Actual((), ())),
        registry.plan(reader, "owner", registry.Actual("operations", "db", True, False)),
        pgbouncer.plan(reader, "operations", pgbouncer.Actual(frozenset({name}), frozenset())),
        iam.plan(reader, "p", {}, iam.Actual(False, ours="operations")),
        object_store.plan(reader, "operations", [], object_store.Actual({}, {}, {})),
    ]
    assert {plan.verdict for plan in plans} == {"refused"}
    assert all(not plan.steps and not plan.changes and name in plan.message for plan in plans)


def test_no_account_is_skipped_with_the_way_out() -> None:
    answer = nobody("leanvibe_ops_health_redis", "leanvibe_ops_redis").to_exit("redis", "us-east-1")["run"]
    assert answer["verdict"] == "skipped"
    assert "leanvibe_ops_health_redis" in answer["message"]
    assert "leanvibe_ops_redis." in answer["message"]


class TestKubernetes:
    subject: ClassVar = {"kind": "User", "name": "eve"}

    @staticmethod
    def there(**change: Any) -> kubernetes.Actual:
        role = {**rights.reader(), "metadata": {"name": "x", "uid": "1"}} | change.get("role", {})
        binding = {**rights.binding("eve"), "metadata": {"name": "x", "uid": "2"}} | change.get("binding", {})
        return kubernetes.Actual(role, binding, change.get("others", ()))

    def test_what_is_there_is_not_written(self) -> None:
        assert objects(kubernetes.plan(self.subject, self.there())) == []

    def test_nothing_there(self) -> None:
        plan = kubernetes.plan(self.subject, kubernetes.Actual(None, None, ()))
        assert [(what, action) for what, action, _fields in objects(plan)] == [
            ("ClusterRole leanvibe-health-reader", "create"),
            ("ClusterRoleBinding leanvibe-health-reader", "create"),
        ]

    def test_rules_and_subjects_that_differ_are_set_back(self) -> None:
        secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
        plan = kubernetes.plan(self.subject, self.there(role={"rules": [*rights.reader()["rules"], secrets]}, binding={"subjects": []}))
        assert [fields for _object, _action, fields in objects(plan)] == [("rules",), ("subjects",)]
        assert all(not step.replaces for step in plan.steps)

    def test_a_binding_to_another_role_is_replaced(self) -> None:
        other = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        (step,) = kubernetes.plan(self.subject, self.there(binding={"roleRef": other})).steps
        assert step.replaces == "2"

    def test_rights_by_other_bindings_are_told(self) -> None:
        named = kubernetes._others(
            [{"metadata": {"name": "admins"}, "roleRef": {"name": "cluster-admin"}, "subjects": [{"kind": "User", "name": "eve"}]},
             {"metadata": {"name": "theirs"}, "roleRef": {"name": "view"}, "subjects": [{"kind": "Group", "name": "eve"}]}],
            self.subject,
        )  # fmt: skip
        plan = kubernetes.plan(self.subject, self.there(others=tuple(named)))
        assert plan.notes == ["eve has more than the health checks need, by admins (cluster-admin): take these bindings away"]

    @pytest.mark.parametrize("name", ["system:masters", "system:authenticated", "system:unauthenticated"])
    def test_everybody_is_refused(self, name: str) -> None:
        assert kubernetes.plan({"kind": "Group", "name": name}, kubernetes.Actual(None, None, ())).verdict == "refused"

    def test_a_service_account_has_its_namespace(self) -> None:
        plan = kubernetes.plan({"kind": "ServiceAccount", "name": "eve", "namespace": "ops"}, kubernetes.Actual(None, None, ()))
        assert plan.steps[1].wanted["subjects"] == [{"kind": "ServiceAccount", "name": "eve", "namespace": "ops"}]


class TestRedis:
    catalogue = Catalogue({"all": ["ping", "info", "time", "get", "slowlog|get", "acl|list", "acl|cat", "acl|whoami", "acl|setuser"]})

    def user(self, *more: str) -> AclUser:
        return AclUser("health").with_rules(("reset", "on", *READ_ONLY_RULES.split(), f"#{redis.password_hash(PASSWORD)}", *more), self.catalogue)

    def test_what_is_there_is_not_written(self) -> None:
        assert redis.plan(HEALTH, "operations", redis.Actual(self.user(), self.catalogue)) == Plan("health")

    @pytest.mark.parametrize(
        ("rule", "field"), [("+get", "commands"), ("~*", "keys"), ("&*", "channels"), ("off", "enabled"), ("(+get ~*)", "selectors"), ("nopass", "login")]
    )
    def test_what_differs_is_set_back(self, rule: str, field: str) -> None:
        rules = (*READ_ONLY_RULES.split(), "+get") if rule == "+get" else READ_ONLY_RULES.split()
        more = () if rule == "+get" else (rule,)
        user = AclUser("health").with_rules(("reset", "on", *rules, f"#{redis.password_hash(PASSWORD)}", *more), self.catalogue)
        plan = redis.plan(HEALTH, "operations", redis.Actual(user, self.catalogue))
        assert objects(plan) == [("user health", "update", (field,))]
        assert ("CLIENT", "KILL", "USER", "health") in plan.steps[0].commands or rule != "nopass"

    def test_another_password_ends_sessions(self) -> None:
        user = replace(self.user(), hashes=frozenset({"0" * 64}))
        plan = redis.plan(HEALTH, "operations", redis.Actual(user, self.catalogue))
        assert objects(plan) == [("user health", "update", ("login",))]
        assert plan.steps[0].commands[1] == ("CLIENT", "KILL", "USER", "health")

    def test_an_acl_file_that_lacks_what_memory_holds_is_written(self) -> None:
        assert objects(redis.plan(HEALTH, "operations", redis.Actual(self.user(), self.catalogue, unsaved=True))) == [("ACL file", "update", ("users",))]

    def test_without_a_password_and_as_default_it_is_refused(self) -> None:
        for reader in (Reader("health"), Reader("default", PASSWORD)):
            assert redis.plan(reader, "operations", redis.Actual(None, self.catalogue)).verdict == "refused"

    def test_elasticache_is_skipped_with_the_calls_to_make(self) -> None:
        plan = redis.by_aws(HEALTH, {"user_group_id": "leanvibe"})
        assert plan.verdict == "skipped"
        assert READ_ONLY_RULES in plan.message
        assert "modify-user-group --user-group-id leanvibe" in plan.message


class TestNeo4j:
    # As SHOW ROLE … PRIVILEGES AS COMMANDS writes them.
    granted = frozenset(grant.replace("$role", "`health`").replace("EXECUTE PROCEDURE ", "EXECUTE PROCEDURES ") for grant in neo4j_rights.GRANTS)

    def test_what_is_there_is_not_written(self) -> None:
        plan = neo4j.plan(HEALTH, "health", "neo4j", neo4j.Actual(self.granted, frozenset({"health"}), lets_in=True))
        assert (plan.steps, plan.changes, plan.verdict) == ([], [], "succeeded")

    def test_nothing_there_gives_the_role_its_rights_before_anybody_has_it(self) -> None:
        plan = neo4j.plan(HEALTH, "health", "neo4j", neo4j.Actual(None, None))
        assert [step.text for step in plan.steps] == [neo4j.CREATE_ROLE, *neo4j_rights.GRANTS, neo4j.CREATE_USER, neo4j.GRANT_ROLE]
        assert [what for what, _action, _fields in objects(plan)] == ["role health", "user health"]
        assert PASSWORD not in repr(plan.steps)

    def test_a_right_that_is_missing_and_a_password_that_is_another(self) -> None:
        left = frozenset(command for command in self.granted if "SERVERS" not in command)
        plan = neo4j.plan(HEALTH, "health", "neo4j", neo4j.Actual(left, frozenset({"health"}), lets_in=False))
        assert [step.text for step in plan.steps] == ["GRANT SHOW SERVERS ON DBMS TO $role", neo4j.SET_PASSWORD]

    def test_more_than_is_needed_is_refused_and_named(self) -> None:
        actual = neo4j.Actual(self.granted | {"GRANT WRITE ON GRAPH * TO `health`"}, frozenset({"health", "admin"}), lets_in=True)
        plan = neo4j.plan(HEALTH, "health", "neo4j", actual)
        assert plan.verdict == "refused"
        assert "WRITE ON GRAPH" in plan.message
        assert "admin" in plan.message

    def test_community_is_skipped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Client:
            def __enter__(self) -> Client:
                return self

            def __exit__(self, *_unused: object) -> None:
                return None

            def rows(self, *_unused: object) -> list[dict[str, str]]:
                return [{"edition": "community"}]

        monkeypatch.setattr(neo4j, "connect", lambda *_unused: Client())
        answer = neo4j.run({"connection": {}, "account": {"username": "health"}, "role": "health", "timeout": 1, "region": "us-east-1"}, check_mode=False)
        assert (answer["run"]["verdict"], answer["changed"]) == ("skipped", False)
        assert "administrator" in answer["run"]["message"]


class TestPostgresql:
    def test_what_lacks_is_named_with_who_gives_it(self) -> None:
        plan = postgresql.plan(Reader("leanvibe_health"), "leanvibe_operations", postgresql.Actual(("GRANT pg_monitor TO leanvibe_health",), ()))
        assert plan.verdict == "refused"
        assert "GRANT pg_monitor" in plan.message
        assert "platform_database" in plan.message

    def test_too_much_and_a_closed_door_are_named(self) -> None:
        for actual, word in ((postgresql.Actual((), ("it is a superuser",)), "superuser"), (postgresql.Actual((), (), "wrong password."), "not let in")):
            plan = postgresql.plan(Reader("leanvibe_health"), "leanvibe_operations", actual)
            assert plan.verdict == "refused"
            assert word in plan.message

    def test_all_is_well(self) -> None:
        assert postgresql.plan(Reader("leanvibe_health"), "leanvibe_operations", postgresql.Actual((), ())).verdict == "succeeded"


class TestRegistry:
    def actual(self, **change: Any) -> registry.Actual:
        tables = frozenset({"tenants", "runs"})
        good = dict.fromkeys(registry._ATTRIBUTES, False)
        given: dict[str, Any] = {"login": True, "attributes": good, "given": registry.wanted("db", tables), "tables": tables, "lets_in": True}
        return registry.Actual("postgres", "db", True, True, **{**given, **change})

    def texts(self, plan: Plan) -> list[str]:
        return [step.as_string(None) for step in plan.steps]

    def test_what_is_there_is_not_written(self) -> None:
        assert registry.plan(HEALTH, "owner", self.actual()) == Plan("health", [], [])

    def test_nothing_there(self) -> None:
        plan = registry.plan(HEALTH, "owner", registry.Actual("postgres", "db", True, False, tables=frozenset({"runs"})))
        made, *granted = self.texts(plan)
        assert made.startswith('CREATE ROLE "health" LOGIN PASSWORD \'SCRAM-SHA-256$')
        assert granted == [
            'GRANT CONNECT ON DATABASE "db" TO "health"',
            'ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA public GRANT SELECT ON TABLES TO "health"',
            'GRANT USAGE ON SCHEMA "public" TO "health"',
            'GRANT SELECT ON TABLE public."runs" TO "health"',
        ]
        assert [what for what, _action, _fields in objects(plan)] == ["role health", "rights of health"]

    def test_what_is_too_much_is_taken_away_first(self) -> None:
        actual = self.actual()
        more = actual.given - {("TABLE", "runs", "SELECT")} | {
            ("TABLE", "tenants", "INSERT"),
            ("SEQUENCE", "lease_tokens", "USAGE"),
            ("DATABASE", "db", "CREATE"),
        }
        plan = registry.plan(HEALTH, "owner", replace(actual, given=more, groups=("admins",), attributes={**actual.attributes, "rolcreatedb": True}))
        assert self.texts(plan) == [
            'ALTER ROLE "health" NOCREATEDB',
            'REVOKE "admins" FROM "health"',
            'REVOKE CREATE ON DATABASE "db" FROM "health"',
            'REVOKE USAGE ON SEQUENCE public."lease_tokens" FROM "health"',
            'REVOKE INSERT ON TABLE public."tenants" FROM "health"',
            'GRANT SELECT ON TABLE public."runs" TO "health"',
        ]

    def test_another_password_is_set(self) -> None:
        assert objects(registry.plan(HEALTH, "owner", self.actual(lets_in=False))) == [("role health", "update", ("password",))]
        stored = registry.verifier(PASSWORD)
        assert objects(registry.plan(HEALTH, "owner", self.actual(reads_verifiers=True, verifier=stored, lets_in=None))) == []
        assert objects(registry.plan(HEALTH, "owner", self.actual(reads_verifiers=True, verifier=None))) == [("role health", "update", ("password",))]

    def test_who_may_make_no_role_is_told_the_way_out(self) -> None:
        plan = registry.plan(HEALTH, "owner", registry.Actual("leanvibe_registry", "db", False, False))
        assert plan.verdict == "refused"
        assert "leanvibe_ops_registry_superuser" in plan.message


class TestPgbouncer:
    @pytest.mark.parametrize(
        ("actual", "word"),
        [
            (pgbouncer.Actual(frozenset({"other"}), frozenset()), "stats_users = health, other"),
            (pgbouncer.Actual(frozenset({"health"}), frozenset({"health"})), "admin_users"),
            (pgbouncer.Actual(frozenset({"health"}), frozenset(), "no such user."), "auth_file"),
        ],
    )
    def test_what_is_to_be_written_is_said(self, actual: pgbouncer.Actual, word: str) -> None:
        plan = pgbouncer.plan(HEALTH, "pgbouncer_admin", actual)
        assert plan.verdict == "refused"
        assert word in plan.message

    def test_settings_are_read(self) -> None:
        rows = [{"key": "stats_users", "value": "health, other"}, {"key": "admin_users", "value": ""}, {"key": "max_db_connections", "value": 0}]
        actual = pgbouncer.observe(SimpleNamespace(show=lambda _command: rows))  # type: ignore[arg-type]
        assert actual == pgbouncer.Actual(frozenset({"health", "other"}), frozenset())
        assert pgbouncer.plan(HEALTH, "pgbouncer_admin", actual).verdict == "succeeded"


class Iam:
    """As boto3 answers."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {
            "get_user": {"User": {}},
            "get_user_policy": {"PolicyDocument": aws_rights.policy(aws_rights.ACTIONS)},
            "list_user_policies": {"PolicyNames": ["leanvibe-health-aws", "leanvibe-health-s3"]},
            "list_attached_user_policies": {"AttachedPolicies": []},
            "list_groups_for_user": {"Groups": []},
            **answers,
        }
        self.calls: list[str] = []

    def call(self, operation: str, **_arguments: Any) -> Any:
        self.calls.append(operation)
        answer = self.answers.get(operation, {})
        if isinstance(answer, OpsError):
            raise answer
        return answer


class TestIam:
    wanted = aws_rights.policy(aws_rights.ACTIONS)

    def plan(self, **answers: Any) -> Plan:
        client: Any = Iam(**answers)
        return iam.plan(Reader("health"), "leanvibe-health-aws", self.wanted, iam.observe(client, "health", "leanvibe-health-aws", "me"))

    def test_what_is_there_is_not_written_whatever_its_order(self) -> None:
        shuffled = aws_rights.policy(tuple(reversed(aws_rights.ACTIONS)))
        assert objects(self.plan(get_user_policy={"PolicyDocument": shuffled})) == []

    def test_nothing_there(self) -> None:
        plan = self.plan(get_user=AwsError("no", "NoSuchEntity"))
        assert [step.operation for step in plan.steps] == ["create_user", "put_user_policy"]
        assert any("create-access-key" in note for note in plan.notes)

    def test_a_policy_that_differs_is_set_back(self) -> None:
        more = aws_rights.policy((*aws_rights.ACTIONS, "rds:DeleteDBInstance"))
        assert objects(self.plan(get_user_policy={"PolicyDocument": more})) == [("policy leanvibe-health-aws", "update", ("document",))]
        assert objects(self.plan(get_user_policy=AwsError("no", "NoSuchEntity"))) == [("policy leanvibe-health-aws", "create", ("document",))]

    @pytest.mark.parametrize(
        "answers",
        [
            {"list_user_policies": {"PolicyNames": ["everything"]}},
            {"list_attached_user_policies": {"AttachedPolicies": [{"PolicyName": "AdministratorAccess"}]}},
            {"list_groups_for_user": {"Groups": [{"GroupName": "admins"}]}},
        ],
    )
    def test_who_has_more_is_refused(self, answers: Any) -> None:
        assert self.plan(**answers).verdict == "refused"

    def test_other_errors_pass(self) -> None:
        for error in (AwsError("slow down", "Throttling"), AccessDenied("no")):
            with pytest.raises(OpsError):
                self.plan(get_user=error)
            with pytest.raises(OpsError):
                iam.apply([iam.Step("create_user", {}, "EntityAlreadyExists")], Iam(create_user=error))  # type: ignore[arg-type]

    def test_a_user_that_another_region_made_meanwhile_is_fine(self) -> None:
        client: Any = Iam(create_user=AwsError("there", "EntityAlreadyExists"))
        iam.apply([iam.Step("create_user", {}, "EntityAlreadyExists"), iam.Step("put_user_policy", {})], client)
        assert client.calls == ["create_user", "put_user_policy"]


class TestObjectStore:
    bucket = "backups"

    def actual(self, **change: Any) -> object_store.Actual:
        policy = {"Version": "2012-10-17", "Statement": [aws_rights.bucket_statement(self.bucket, "health")]}
        given: dict[str, Any] = {"accounts": {"health": Account("health", PASSWORD)}, "owners": {self.bucket: "root"}, "policies": {self.bucket: policy}}
        return object_store.Actual(**{**given, **change})

    def plan(self, **change: Any) -> Plan:
        return object_store.plan(HEALTH, "operations", [self.bucket], self.actual(**change))

    def test_what_is_there_is_not_written(self) -> None:
        assert objects(self.plan()) == []

    def test_nothing_there_and_what_others_may_stays(self) -> None:
        theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": ["eve"]}, "Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::backups/*"]}
        plan = self.plan(accounts={}, policies={self.bucket: {"Version": "2012-10-17", "Statement": [theirs]}})
        assert objects(plan) == [("account health", "create", ()), ("bucket backups", "update", ("policy",))]
        assert plan.steps[1].policy["Statement"][0] == theirs
        assert len(plan.steps[1].policy["Statement"]) == 2
        assert PASSWORD not in repr(plan.steps)

    def test_what_differs_is_set_back(self) -> None:
        more = {**aws_rights.bucket_statement(self.bucket, "health"), "Action": ["s3:*"]}
        plan = self.plan(accounts={"health": Account("health", "another")}, policies={self.bucket: {"Version": "2012-10-17", "Statement": more}})
        assert objects(plan) == [("account health", "update", ("secret",)), ("bucket backups", "update", ("policy",))]
        assert plan.steps[1].policy["Statement"] == [aws_rights.bucket_statement(self.bucket, "health")]

    def test_who_owns_buckets_or_administers_is_refused(self) -> None:
        assert self.plan(owners={self.bucket: "health"}).verdict == "refused"
        assert self.plan(accounts={"health": Account("health", PASSWORD, ADMIN)}).verdict == "refused"

    def test_a_tenant_s_bucket_is_not_touched(self) -> None:
        plan = object_store.plan(HEALTH, "operations", ["tenant-acme"], self.actual(owners={"tenant-acme": "root"}, policies={"tenant-acme": None}))
        assert (plan.verdict, plan.steps) == ("refused", ())

    def test_a_bucket_that_is_not_there_is_told(self) -> None:
        assert any("no bucket backups" in note for note in self.plan(owners={}, policies={}).notes)


def test_the_report_has_an_item_for_each_endpoint_whatever_became_of_it(tmp_path: Any) -> None:
    made = redis.plan(HEALTH, "operations", redis.Actual(None, TestRedis.catalogue)).to_exit("redis", "us-east-1")["run"]
    endpoints = [
        {"system": "redis", "region": "us-east-1", "run": made},
        {"system": "redis", "region": "us-west-2", "error": "Redis cannot be reached"},
        {"system": "aws", "region": "us-east-1", "run": nobody("health_reader_iam_user").to_exit("aws", "us-east-1")["run"]},
    ]
    given = {"run_id": "1", "started": "2026-11-21T06:00:00Z", "environment": "sandbox", "regions": ["us-east-1"], "report_dir": str(tmp_path)}
    answer = reporting.conclude({**given, "endpoints": json.dumps(endpoints)}, check=False)
    assert (answer["verdict"], answer["changes"]) == ("partial", 1)
    assert "create user health" in answer["summary"]
    assert "Redis cannot be reached" in answer["summary"]
    report = json.loads((tmp_path / "health_reader/latest.json").read_text(encoding="utf-8"))
    assert [(item["subject"], item["verdict"], item["changed"]) for item in report["items"]] == [
        ("us-east-1/redis", "succeeded", True),
        ("us-west-2/redis", "failed", False),
        ("us-east-1/aws", "skipped", False),
    ]
    assert PASSWORD not in json.dumps(report)
