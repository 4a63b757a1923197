"""Entry point of the role bootstrap, `Custom::DatabaseRoles`: the only function that may read the master secret."""

import json
import os
from contextlib import closing

import boto3
import psycopg2
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import EventError
from migrator.events import Event, RolesRequest, request_type
from migrator.failure import fail_briefly
from migrator.roles import converge
from rds_iam.connection import is_refused_login, open_connection, retry_connect
from rds_iam.deadline import Deadline
from rds_iam.errors import SettingsError
from rds_iam.settings import DatabaseSettings
from rds_iam.token import generate_token

PHYSICAL_ID = "database-roles"
_RESERVE_SECONDS = 10.0

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> dict[str, str]:
    """Create or converge the roles; a Delete leaves them, since they own and use what is in the database."""
    with fail_briefly("roles not set up", logger, metric="RolesFailed"):
        if request_type(event) == "Delete":
            return {"PhysicalResourceId": str(event["PhysicalResourceId"])}
        request = RolesRequest.from_event(event)
        old = _previous(event) if request_type(event) == "Update" else None
        deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
        with closing(_connect_as_master(DatabaseSettings.from_environment(os.environ), deadline)) as connection:
            converge(connection, request, old)
        logger.info("roles set up", extra={"owner": request.owner, "logins": request.logins})
        return {"PhysicalResourceId": PHYSICAL_ID}


def _previous(event: Event) -> RolesRequest | None:
    """Read what was asked for before; malformed properties were refused, so that there is nothing to take back."""
    try:
        return RolesRequest.from_event(event, "OldResourceProperties")
    except EventError:
        return None


def _connect_as_master(settings: DatabaseSettings, deadline: Deadline) -> Connection:
    """Log in by password, or by token where the master user was made a member of rds_iam, until the deadline."""
    password = _master_password()

    def log_in_with(secret: str) -> Connection:
        return open_connection(settings, password=secret, application_name=PHYSICAL_ID)

    def attempt() -> Connection:
        try:
            return log_in_with(password)
        except psycopg2.OperationalError as exc:
            if not is_refused_login(exc):
                raise
            return log_in_with(generate_token(settings))

    return retry_connect(attempt, deadline, f"master user {settings.user} at {settings.host}:{settings.port}")


def _master_password() -> str:
    arn = os.environ.get("MASTER_SECRET_ARN")
    if not arn:
        raise SettingsError("bad environment: MASTER_SECRET_ARN is not set")
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=arn)
    return str(json.loads(secret["SecretString"])["password"])
