"""The handler of the role setup, called as Lambda calls it."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Self

import psycopg2
import pytest

from migrator import roles_handler
from migrator.errors import MigratorError
from rds_iam import connection
from tests.postgres.functions import become, metrics_in
from tests.postgres.lambda_context import Context
from tests.postgres.role_setup import run
from tests.postgres.servers import SETTINGS, Cluster

OWNER = {"Owner": "app_owner", "Migrator": "migrator", "Users": ["querier"]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REJECTED_LOGIN_RETRY_SECONDS", 0.5)


class FakeAws:
    """The answers of Secrets Manager and CloudFormation."""

    def __init__(self, password: str = SETTINGS.master_password, status: str = "UPDATE_IN_PROGRESS") -> None:
        self.password = password
        self.status = status

    def client(self, service: str, *, config: Any) -> Self:
        assert service in {"secretsmanager", "cloudformation"}
        longest = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
        assert longest <= 20, "an API that does not answer must be reported before the function is killed"
        return self

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - AWS's spelling
        assert SecretId == "arn:secret"
        return {"SecretString": json.dumps({"username": SETTINGS.master_username, "password": self.password})}

    def describe_stacks(self, StackName: str) -> dict[str, list[dict[str, str]]]:  # noqa: N803 - AWS's spelling
        assert StackName == "arn:stack"
        return {"Stacks": [{"StackStatus": self.status}]}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    aws = FakeAws()
    monkeypatch.setattr("boto3.client", aws.client)
    return aws


@pytest.fixture
def bootstrap(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, aws: FakeAws) -> Iterator[Cluster]:
    """Return a database without roles, and set the environment of the role setup."""
    become(monkeypatch, cluster, SETTINGS.master_username)
    monkeypatch.setenv("MASTER_SECRET_ARN", "arn:secret")
    yield cluster
    cluster.admin(f"REVOKE rds_iam FROM {SETTINGS.master_username}")


def roles_event(kind: str = "Create", **properties: object) -> dict[str, object]:
    event: dict[str, object] = {
        "RequestType": kind,
        "StackId": "arn:stack",
        "PhysicalResourceId": "database-roles",
        "ResourceProperties": OWNER | properties,
    }
    return event | ({"OldResourceProperties": OWNER} if kind == "Update" else {})


def test_the_role_setup_creates_the_roles(bootstrap: Cluster) -> None:
    assert roles_handler.handler(roles_event(), Context()) == {"PhysicalResourceId": "database-roles"}
    bootstrap.connect_with_token("migrator").close()


def test_the_role_setup_reconciles_the_roles_on_an_update(bootstrap: Cluster) -> None:
    roles_handler.handler(roles_event(), Context())
    roles_handler.handler(roles_event("Update", Users=["reporter"]), Context())
    bootstrap.connect_with_token("reporter").close()
    with pytest.raises(psycopg2.OperationalError):
        bootstrap.connect_with_token("querier")


def test_a_deployment_with_another_value_of_rerun_repairs_a_revoked_login(bootstrap: Cluster) -> None:
    roles_handler.handler(roles_event(), Context())
    with bootstrap.connect_as_master() as master, master, master.cursor() as cursor:
        cursor.execute("REVOKE rds_iam FROM migrator")
    roles_handler.handler(roles_event("Update", Rerun="2026-12-01"), Context())
    bootstrap.connect_with_token("migrator").close()


@pytest.mark.parametrize(("old_name", "keeps_login"), [("app", False), ("old", True)])
def test_removed_roles_lose_their_login_unless_the_database_is_another_one(
    bootstrap: Cluster, old_name: str, keeps_login: bool
) -> None:
    roles_handler.handler(roles_event(Users=["querier", "reporter"]), Context())
    event = roles_event("Update", Database={"Name": "app", "Endpoint": "db.example"})
    old = {"Database": {"Name": old_name, "Endpoint": "db.example"}, "Users": ["querier", "reporter"]}
    roles_handler.handler(event | {"OldResourceProperties": OWNER | old}, Context())
    assert bootstrap.admin("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reporter'") == [(keeps_login,)]


def test_the_option_that_keeps_the_privileges_of_public_is_read(bootstrap: Cluster) -> None:
    roles_handler.handler(roles_event(RevokePublic="false"), Context())
    assert bootstrap.admin("SELECT has_database_privilege('public', 'app', 'CONNECT')") == [(True,)]


def test_the_role_setup_adopts_an_existing_database_and_prepares_a_baseline(bootstrap: Cluster) -> None:
    with bootstrap.connect_as_master() as master:
        run(master, "CREATE ROLE shop LOGIN", "CREATE TABLE orders (id int)", "GRANT shop TO CURRENT_USER")
        run(master, "GRANT CREATE ON SCHEMA public TO shop", "ALTER TABLE orders OWNER TO shop")
    adoption: dict[str, Any] = {"HandOverFrom": ["shop"], "Extensions": ["citext"], "BaselineDatabase": "app_baseline"}
    roles_handler.handler(roles_event(**adoption), Context())
    assert bootstrap.admin("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'") == [("app_owner",)]
    with closing(bootstrap.connect_with_token("migrator", database="app_baseline")) as migrator:
        run(migrator, "CREATE TABLE t (text citext)")
    roles_handler.handler(roles_event(**adoption), Context())  # again: the database of the baseline is empty
    with closing(bootstrap.connect_with_token("migrator", database="app_baseline")) as migrator:
        assert run(migrator, "SELECT to_regclass('t')") == [(None,)]
    event = roles_event("Update", HandBackTo="shop")
    roles_handler.handler(event | {"OldResourceProperties": OWNER | adoption}, Context())
    assert bootstrap.admin("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'") == [("shop",)]
    assert bootstrap.admin("SELECT FROM pg_database WHERE datname = 'app_baseline'") == []


def test_the_masters_session_starts_with_a_pinned_search_path(bootstrap: Cluster) -> None:
    roles_handler.handler(roles_event(), Context())
    with closing(bootstrap.connect_with_token("migrator")) as migrator, migrator, migrator.cursor() as cursor:
        cursor.execute("CREATE FUNCTION public.planted() RETURNS bool LANGUAGE sql AS 'SELECT true'")
    master = SETTINGS.master_username
    # A trigger of the administrator, which runs before any statement of the session.
    bootstrap.admin("""
    CREATE FUNCTION pg_catalog.on_login() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF session_user = 'postgres' AND to_regproc('planted') IS NOT NULL THEN
            RAISE EXCEPTION 'executed';
        END IF;
    END $$
    """)
    bootstrap.admin("CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION pg_catalog.on_login()")
    try:
        with pytest.raises(psycopg2.OperationalError, match="executed"), bootstrap.connect_as_master():
            pass
        for setting in (f"ROLE {master}", "DATABASE app", f"ROLE {master} IN DATABASE app", "ROLE ALL"):
            bootstrap.admin(f"ALTER {setting} SET search_path = public, pg_catalog")
        roles_handler.handler(roles_event(Users=["querier", "reporter"]), Context())
    finally:
        for setting in (f"ROLE {master}", "ROLE ALL"):
            bootstrap.admin(f"ALTER {setting} RESET search_path")
    bootstrap.connect_with_token("reporter").close()


def test_the_role_setup_logs_in_with_a_token_if_the_master_has_no_password_login(bootstrap: Cluster) -> None:
    bootstrap.admin(f"GRANT rds_iam TO {SETTINGS.master_username} WITH INHERIT TRUE")
    roles_handler.handler(roles_event(), Context())
    bootstrap.connect_with_token("migrator").close()


def test_a_rollback_of_the_role_setup_from_malformed_properties_succeeds(bootstrap: Cluster) -> None:
    event = roles_event("Update") | {"OldResourceProperties": {"Owner": "pg_owner"}}
    assert roles_handler.handler(event, Context()) == {"PhysicalResourceId": "database-roles"}


def test_a_master_that_grants_itself_the_roles_it_creates_keeps_its_password_login(bootstrap: Cluster) -> None:
    master = SETTINGS.master_username
    bootstrap.admin(f"ALTER ROLE {master} IN DATABASE app SET createrole_self_grant = 'set, inherit'")
    roles_handler.handler(roles_event(), Context())
    assert bootstrap.admin(f"SELECT pg_has_role('{master}', 'rds_iam', 'USAGE')") == [(False,)]


@pytest.fixture
def rolling_back(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    monkeypatch.setattr(roles_handler, "ROLLBACK_SECONDS", 1.0)


@pytest.mark.usefixtures("rolling_back")
def test_a_rollback_restores_the_roles_if_the_database_is_available(
    bootstrap: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    roles_handler.handler(roles_event(Users=["reporter"]), Context())
    event = roles_event("Update") | {"OldResourceProperties": OWNER | {"Users": ["reporter"]}}
    roles_handler.handler(event, Context())
    bootstrap.connect_with_token("querier").close()
    assert "RollbackWithoutDatabase" not in metrics_in(capsys.readouterr().out)


ACCIDENTS = {
    "the server is down": lambda patch, _aws, _cluster: patch.setenv("PGPORT", "1"),
    "the environment is incomplete": lambda patch, _aws, _cluster: patch.delenv("PGHOST"),
    "the secret has another password": lambda _patch, aws, _cluster: setattr(aws, "password", "wrong"),
    "schema public is gone": lambda _patch, _aws, cluster: cluster.admin("DROP SCHEMA public"),
    "the database is gone": lambda patch, _aws, _cluster: patch.setenv("PGDATABASE", "gone"),
}


@pytest.mark.usefixtures("rolling_back")
@pytest.mark.parametrize("accident", ACCIDENTS.values(), ids=ACCIDENTS)
def test_a_rollback_of_the_role_setup_succeeds_with_a_warning_and_a_metric_after_any_accident(
    bootstrap: Cluster,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    accident: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    roles_handler.handler(roles_event(), Context())
    accident(monkeypatch, aws, bootstrap)
    answer = roles_handler.handler(roles_event("Update"), Context())
    assert answer == {"PhysicalResourceId": "database-roles"}
    assert metrics_in(capsys.readouterr().out) == {"RollbackWithoutDatabase": 1}
    assert "roles not set up in this rollback" in [
        record.message for record in caplog.records if record.levelname == "WARNING"
    ]


@pytest.mark.usefixtures("rolling_back")
def test_a_rollback_of_the_role_setup_does_not_wait_for_another_session(
    bootstrap: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    roles_handler.handler(roles_event(), Context())
    with bootstrap.connect_as_master() as other, other, other.cursor() as cursor:
        cursor.execute("ALTER ROLE migrator CONNECTION LIMIT 7")
        roles_handler.handler(roles_event("Update"), Context())
    assert metrics_in(capsys.readouterr().out) == {"RollbackWithoutDatabase": 1}


def test_an_update_of_the_roles_fails_if_the_database_is_unreachable(
    bootstrap: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles_handler.handler(roles_event(), Context())
    monkeypatch.setenv("PGDATABASE", "gone")
    with pytest.raises(MigratorError, match='database "gone" does not exist'):
        roles_handler.handler(roles_event("Update"), Context())


def test_a_delete_of_the_role_setup_does_not_change_the_roles(bootstrap: Cluster) -> None:
    roles_handler.handler(roles_event(), Context())
    assert roles_handler.handler(roles_event("Delete"), Context()) == {"PhysicalResourceId": "database-roles"}
    bootstrap.connect_with_token("migrator").close()


@pytest.mark.usefixtures("without_policy")
def test_the_role_setup_fails_without_password_and_token(bootstrap: Cluster, aws: FakeAws) -> None:
    aws.password = "wrong"
    with pytest.raises(MigratorError, match=r"cannot log in as master user postgres at .*authentication failed"):
        roles_handler.handler(roles_event(), Context())


@pytest.mark.usefixtures("bootstrap", "aws")
def test_a_deletion_does_not_depend_on_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST")
    assert roles_handler.handler(roles_event("Delete"), Context()) == {"PhysicalResourceId": "database-roles"}
