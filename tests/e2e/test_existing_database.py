"""A database that an application used before: the deployment adopts it, and a further one hands it back."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localaws.aws import LocalAws
from localaws.cdk import Cdk, local_context
from localaws.constants import ACCOUNT, REGION
from tests.e2e.apps.variants import synthesize
from tests.e2e.assemblies import REVISIONS
from tests.e2e.databases import INSTANCE, PASSWORD, query
from tests.infra.existing_database import looked_up
from tests.waiting import OFTEN

type Deploy = Callable[..., dict[str, str]]

STACK = "existing"
TEMPLATE = {
    "Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": f"{REGION}a"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "GroupDescription": "of the database"},
        },
        "Database": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                **INSTANCE,
                "DBInstanceIdentifier": "shop",
                "EnableIAMDatabaseAuthentication": True,
                "VPCSecurityGroups": [{"Ref": "Group"}],
            },
        },
    },
    "Outputs": {name: {"Value": {"Ref": name}} for name in ("Vpc", "Subnet", "Group")},
}
# The schema of the first revision of the example project, made by hand, and a user with a password.
APPLICATION = """
CREATE ROLE shop LOGIN PASSWORD 'shop';
GRANT shop TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO shop;
CREATE TABLE queries (id serial CONSTRAINT pk_queries PRIMARY KEY, query_date date);
INSERT INTO queries (query_date) VALUES ('2020-02-02');
ALTER TABLE queries OWNER TO shop
"""


@dataclass(frozen=True)
class Existing:
    """The existing database, and the values that CDK looks up for it."""

    port: str
    vpc: dict[str, Any]
    instance: dict[str, Any]
    context: dict[str, str]


@pytest.fixture(scope="module")
def existing(aws: LocalAws) -> Iterator[Existing]:
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig=OFTEN)
    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    secret = aws.client("secretsmanager").create_secret(
        Name="shop-master", SecretString=json.dumps({"username": "postgres", "password": PASSWORD})
    )
    [database] = aws.client("rds").describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"]
    port = str(database["Endpoint"]["Port"])
    query(port, APPLICATION)
    yield Existing(
        port,
        vpc(outputs["Vpc"], outputs["Subnet"]),
        {
            "DBInstanceArn": database["DBInstanceArn"],
            "Endpoint.Address": database["Endpoint"]["Address"],
            "Endpoint.Port": port,
            "DbiResourceId": database["DbiResourceId"],
            "VPCSecurityGroups": [outputs["Group"]],
        },
        {"database": "shop", "vpc": outputs["Vpc"], "master-secret": secret["ARN"]},
    )
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig=OFTEN)


def vpc(vpc_id: str, subnet_id: str) -> dict[str, Any]:
    subnet = {"subnetId": subnet_id, "cidr": "10.0.1.0/24", "availabilityZone": f"{REGION}a", "routeTableId": "rtb-1"}
    group = {"name": "Private", "type": "Private", "subnets": [subnet]}
    return {"vpcId": vpc_id, "vpcCidrBlock": "10.0.0.0/16", "availabilityZones": [], "subnetGroups": [group]}


@pytest.fixture
def deploy(
    aws: LocalAws, cdk: Cdk, existing: Existing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deploy]:
    """Return a function that synthesizes with the values of the database, and deploys."""
    monkeypatch.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
    monkeypatch.setenv("CDK_DEFAULT_REGION", REGION)
    base: dict[str, Any] = {**local_context(aws.ca_path), **existing.context}
    unchecked = {"@aws-cdk/core:failSynthOnValidationErrors": False}
    synthesize(tmp_path / "lookups", {**base, **unchecked}, None, None)
    lookups = looked_up(tmp_path / "lookups", existing.vpc, existing.instance)

    def deploy(name: str, **settings: str) -> dict[str, str]:
        context = {key.replace("_", "-"): value for key, value in settings.items()}
        synthesize(tmp_path / name, {**base, **lookups, **context}, None, None)
        return cdk.deploy(tmp_path / name)

    yield deploy
    cdk.destroy(tmp_path / "adopted")


def owners(existing: Existing) -> list[tuple[Any, ...]]:
    return query(existing.port, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")


def test_an_existing_database_is_adopted_and_handed_back(existing: Existing, deploy: Deploy) -> None:
    outputs = deploy("adopted", hand_over_from="shop", baseline=REVISIONS[0])
    assert outputs["Revision"] == REVISIONS[-1]
    assert owners(existing) == [("app_owner",)]
    assert query(existing.port, "SELECT query_date::text FROM queries") == [("2020-02-02",)]
    deploy("back", hand_back_to="shop", baseline=REVISIONS[0])
    assert owners(existing) == [("shop",)]
    assert query(existing.port, "SELECT FROM pg_database WHERE datname = 'app_baseline'") == []
