"""A stack that uses an existing database: CDK looks its values up, and the stack has no database of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Template

from infra.context import parse
from infra.settings import PROJECT
from infra.stack import PrivateDatabaseStack
from rds_alembic import RdsAlembicError
from tests.infra.existing_database import ACCOUNT, CONTEXT, INSTANCE, looked_up
from tests.infra.template import Synthesized

ADOPTION = {
    **CONTEXT,
    "stage": "prod",
    "database-name": "shop",
    "master-user": "admin",
    "hand-over-from": "Shop Main, billing",
    "extensions": "citext,postgis",
    "baseline": "base",
}


def synthesize(outdir: Path, context: dict[str, str], lookups: dict[str, Any], account: str | None = ACCOUNT) -> App:
    flags: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text())["context"]
    app = App(context={**flags, **lookups}, outdir=str(outdir), analytics_reporting=False)
    settings = parse(context)
    env = Environment(account=account, region=settings.region)
    PrivateDatabaseStack(app, "Adopted", settings=settings, env=env)
    return app


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory, dev_stack: PrivateDatabaseStack) -> Synthesized:
    """Synthesize without credentials, which lists the lookups, and again with their values."""
    context = {**ADOPTION, "baseline": revision(dev_stack)}
    # CDK's CLI looks values up before it reports that the placeholders are invalid.
    unchecked = {"@aws-cdk/core:failSynthOnValidationErrors": False}
    first = Path(synthesize(tmp_path_factory.mktemp("first"), context, unchecked).synth().directory)
    lookups = looked_up(first)
    assert len(lookups) == 2
    app = synthesize(tmp_path_factory.mktemp("second"), context, lookups)
    assert looked_up(Path(app.synth().directory)) == {}
    stack = app.node.find_child("Adopted")
    assert isinstance(stack, PrivateDatabaseStack)
    return Synthesized(Template.from_stack(stack).to_json())


def revision(stack: PrivateDatabaseStack) -> str:
    template = Synthesized(Template.from_stack(stack).to_json())
    return str(template.properties("Custom::AlembicUpgrade")["Revisions"][0])


@pytest.mark.parametrize(
    "kind",
    [
        *("AWS::RDS::DBInstance", "AWS::EC2::VPC", "AWS::EC2::NatGateway", "AWS::SecretsManager::Secret"),
        *("Custom::DeletionProtection", "Custom::TerminationProtection", "Custom::DatabaseLogs"),
        *("AWS::RDS::DBParameterGroup", "AWS::Logs::MetricFilter"),
    ],
)
def test_the_stack_creates_nothing_that_belongs_to_the_database(adopted: Synthesized, kind: str) -> None:
    assert adopted.of_type(kind) == {}


def test_the_functions_log_in_to_the_existing_database(adopted: Synthesized) -> None:
    for prefix, user in (("RolesHandler", "admin"), ("UpgradeMigrator", "migrator"), ("QuerierHandler", "querier")):
        function = adopted.function(prefix)
        environment = function["Environment"]["Variables"]
        assert (environment["PGHOST"], environment["PGPORT"]) == (INSTANCE["Endpoint.Address"], "5433")
        assert (environment["PGDATABASE"], environment["PGUSER"]) == ("shop", user)
        assert function["VpcConfig"]["SubnetIds"] == ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    [connect] = adopted.roles_allowed("rds-db:connect")[adopted.role_of("UpgradeMigrator")]
    assert f":{ACCOUNT}:dbuser:db-SHOP/migrator" in json.dumps(connect)


def test_the_security_groups_of_the_database_admit_the_functions(adopted: Synthesized) -> None:
    rules = adopted.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert {rule["GroupId"] for rule in rules} == set(INSTANCE["VPCSecurityGroups"])
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(5433, 5433)}


def test_only_the_role_setup_reads_the_master_secret(adopted: Synthesized) -> None:
    readers = adopted.roles_allowed("secretsmanager:GetSecretValue")
    assert readers == {adopted.role_of("RolesHandler"): [CONTEXT["master-secret"]]}


def test_the_role_setup_gets_the_previous_owners_extensions_and_the_database_of_the_baseline(
    adopted: Synthesized,
) -> None:
    roles = adopted.properties("Custom::DatabaseRoles")
    assert (roles["HandOverFrom"], roles["Extensions"]) == (["Shop Main", "billing"], ["citext", "postgis"])
    assert roles["RevokePublic"] == "false"
    upgrade = adopted.properties("Custom::AlembicUpgrade")
    assert roles["BaselineDatabase"] == upgrade["BaselineDatabase"] == "shop_baseline"


def test_the_stack_needs_an_account_for_its_lookups(tmp_path: Path) -> None:
    with pytest.raises(RdsAlembicError, match=r"CDK_DEFAULT_ACCOUNT must be the account of the database shop"):
        synthesize(tmp_path, CONTEXT, {}, account=None)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"database": "shop"}, r"vpc must be the id of its VPC \(got ''\); master-secret must be .*\(got ''\)"),
        ({**CONTEXT, "vpc": "shop"}, r"vpc must be the id of its VPC \(got 'shop'\)"),
        ({"vpc": "vpc-0a1b"}, r"database must be a DB instance identifier \(got ''\)"),
        ({**CONTEXT, "database": "shop.abc.rds.amazonaws.com"}, r"database must be a DB instance identifier"),
        ({"database-name": "x" * 64}, "database-name must be a name of up to 63 bytes"),
    ],
)
def test_bad_settings_of_an_existing_database_are_rejected(context: dict[str, str], message: str) -> None:
    with pytest.raises(RdsAlembicError, match=message):
        parse(context)


def test_an_owner_cannot_hand_over_to_itself(tmp_path: Path) -> None:
    with pytest.raises(RdsAlembicError, match=r"other roles than the owner \(got 'app_owner'\)"):
        synthesize(tmp_path, {**CONTEXT, "hand-over-from": "app_owner"}, {})
