"""The end of a local AWS and of its databases, and requests that it rejects."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import boto3
import psycopg2
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from localaws.aws import Database, LocalAws
from localaws.constants import CHECKOUT, REGION
from tests.e2e.databases import INSTANCE, connection_string, query
from tests.e2e.processes import alive, descendants, wait_until_gone

DATABASE = {
    "Type": "AWS::RDS::DBInstance",
    "Properties": {
        **INSTANCE,
        "EnableIAMDatabaseAuthentication": True,
        "DeletionProtection": {"Ref": "Protected"},
    },
}
NEEDED = "needed-by-the-database"
TEMPLATE = {
    "Parameters": {"Protected": {"Type": "String", "Default": "false"}},
    "Resources": {
        "Database": {**DATABASE, "DependsOn": ["Needed"]},
        "Needed": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": {"Fn::Sub": f"{NEEDED}-${{AWS::StackName}}"}},
        },
    },
}


def create_stack(aws: LocalAws, name: str, *, protected: bool = False) -> None:
    """Create a stack with a database and a topic that the database depends on."""
    cloudformation = aws.client("cloudformation")
    parameters = [{"ParameterKey": "Protected", "ParameterValue": str(protected).lower()}]
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(TEMPLATE), Parameters=parameters)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@pytest.fixture
def own_aws() -> Iterator[LocalAws]:
    """Return a new local AWS with a database."""
    with LocalAws.start() as started:
        create_stack(started, "one")
        yield started


def test_stopping_a_local_aws_ends_all_its_processes_and_removes_its_files(own_aws: LocalAws) -> None:
    processes = {own_aws.state.pid} | descendants(own_aws.state.pid)
    assert len(alive(processes)) > 1
    own_aws.stop()
    assert wait_until_gone(processes, 10) == set()
    assert not own_aws.instance.temporary.exists()


def test_all_processes_of_a_local_aws_end_if_its_emulator_is_killed(own_aws: LocalAws) -> None:
    processes = {own_aws.state.pid} | descendants(own_aws.state.pid)
    os.kill(own_aws.state.pid, signal.SIGKILL)
    assert wait_until_gone(processes, 10) == set()


def test_the_emulator_ends_if_the_process_that_started_it_is_killed() -> None:
    start = "import os; from localaws.aws import LocalAws; print(LocalAws.start().state.pid, flush=True)"
    command = [sys.executable, "-c", f"{start}; os.kill(os.getpid(), 9)"]
    killed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert wait_until_gone([int(killed.stdout)], 10) == set()


@pytest.fixture(scope="module")
def protected(aws: LocalAws) -> Database:
    """Return a database that is protected from deletion."""
    others = aws.databases()
    create_stack(aws, "protected", protected=True)
    [database] = [database for database in aws.databases() if database not in others]
    return database


def test_the_master_user_logs_in_by_password_over_tls_only(aws: LocalAws, protected: Database) -> None:
    verified = connection_string(protected.port, sslmode="verify-full", sslrootcert=str(aws.ca_path))
    psycopg2.connect(verified).close()
    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        psycopg2.connect(connection_string(protected.port, sslmode="disable"))


def test_a_stopped_database_refuses_connections_until_it_is_started_and_keeps_its_data(
    aws: LocalAws, protected: Database
) -> None:
    query(protected.port, "CREATE TABLE kept AS SELECT 42 AS answer")
    open_session = psycopg2.connect(connection_string(protected.port))
    aws.client("rds").stop_db_instance(DBInstanceIdentifier=protected.identifier)
    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        query(protected.port, "SELECT 1")
    with pytest.raises(psycopg2.OperationalError), open_session.cursor() as cursor:
        cursor.execute("SELECT 1")
    aws.client("rds").start_db_instance(DBInstanceIdentifier=protected.identifier)
    assert query(protected.port, "SELECT answer FROM kept") == [(42,)]


def test_an_interrupted_demo_ends_all_its_processes() -> None:
    command = [sys.executable, "-m", "localaws", "demo"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout
        next(line for line in demo.stdout if "cdk bootstrap" in line)
        processes = descendants(demo.pid)
        assert len(processes) > 1
        os.killpg(demo.pid, signal.SIGINT)  # as Ctrl-C does
        assert "stopping the local AWS" in demo.stdout.read()
        assert demo.wait() == 130
    assert wait_until_gone(processes, 10) == set()


def test_a_protected_database_and_its_dependencies_are_not_deleted_with_the_stack(
    aws: LocalAws, protected: Database
) -> None:
    cloudformation = aws.client("cloudformation")
    cloudformation.delete_stack(StackName="protected")
    with pytest.raises(WaiterError, match="DELETE_FAILED"):
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="protected", WaiterConfig={"Delay": 1})
    assert len(topics(aws)) == 1  # CloudFormation keeps the dependencies of the database
    aws.client("rds").modify_db_instance(DBInstanceIdentifier=protected.identifier, DeletionProtection=False)
    cloudformation.delete_stack(StackName="protected")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="protected", WaiterConfig={"Delay": 1})
    assert protected not in aws.databases()
    assert topics(aws) == []


def topics(aws: LocalAws) -> list[str]:
    """Return the topics of the stack `protected`."""
    arns = [topic["TopicArn"] for topic in aws.client("sns").list_topics()["Topics"]]
    return [arn for arn in arns if arn.endswith(f"{NEEDED}-protected")]


def test_a_request_signed_with_another_secret_is_rejected(aws: LocalAws) -> None:
    forger = replace(aws, state=replace(aws.state, secret_key="not the secret"))
    with pytest.raises(ClientError, match="signature we calculated does not match"):
        forger.client("lambda").list_functions()


@pytest.mark.parametrize("key", ["test", "000000000000", "AKIAUNKNOWN000000000"])
def test_a_request_with_an_unknown_access_key_is_rejected(aws: LocalAws, key: str) -> None:
    stranger = replace(aws, state=replace(aws.state, access_key=key))
    with pytest.raises(ClientError, match=r"UnrecognizedClient|InvalidClientTokenId"):
        stranger.client("lambda").list_functions()


def test_an_unsigned_request_is_rejected(aws: LocalAws) -> None:
    unsigned = boto3.client(
        "lambda",
        REGION,
        endpoint_url=aws.endpoint,
        verify=str(aws.ca_path),
        config=Config(signature_version=UNSIGNED, proxies={}),
    )
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        unsigned.list_functions()
