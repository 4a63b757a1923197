"""Entry point of the role setup, `Custom::DatabaseRoles`, the only function that may read the master secret."""

import json
import os
from contextlib import closing
from dataclasses import replace

import boto3
import psycopg2
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.adoption import adopt
from migrator.baseline_database import create_baseline_database, drop_baseline_database
from migrator.errors import EventError
from migrator.events import Event, RolesRequest, request_type
from migrator.extensions import create_extensions
from migrator.reporting import count, redacted, report_failure
from migrator.roles import SEARCH_PATH, reconcile
from migrator.stack_status import is_rolling_back
from rds_iam.connection import is_rejected_login, open_connection, retry_connect
from rds_iam.deadline import Deadline
from rds_iam.errors import SettingsError
from rds_iam.settings import DatabaseSettings
from rds_iam.token import generate_token

PHYSICAL_ID = "database-roles"
_RESERVE_SECONDS = 10.0
# A rollback does not wait for a server that is down, or for locks of other sessions.
ROLLBACK_SECONDS = 10.0
# 2 attempts, each with up to 5 s to connect and 5 s to read: a rollback must end before the function is killed.
_SECRETS_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2})

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> dict[str, str]:
    """Set up the roles. A Delete leaves them, because they own and use the objects in the database."""
    with report_failure("roles not set up", logger, metric="RolesFailed"):
        if request_type(event) == "Delete":
            return {"PhysicalResourceId": str(event["PhysicalResourceId"])}
        if is_rolling_back(event):
            _set_up_if_possible(event)
        else:
            _set_up(event, Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS))
        return {"PhysicalResourceId": PHYSICAL_ID}


def _set_up_if_possible(event: Event) -> None:
    """Set up the roles of the restored deployment if possible: a failed rollback leads to UPDATE_ROLLBACK_FAILED."""
    try:
        _set_up(event, Deadline.after(ROLLBACK_SECONDS))
    except Exception as exc:  # noqa: BLE001 - the database may be in any state
        logger.warning("roles not set up in this rollback", extra={"error": redacted(exc)})
        count("RollbackWithoutDatabase")


def _set_up(event: Event, deadline: Deadline) -> None:
    request = RolesRequest.from_event(event)
    old = _previous(event, request) if request_type(event) == "Update" else None
    settings = DatabaseSettings.from_environment(os.environ)
    with closing(_connect_as_master(settings, deadline)) as connection:
        reconcile(connection, request, old)
        create_extensions(connection, request.extensions)
        objects = adopt(connection, request, deadline)
        needs_baseline = request.baseline_database and not request.hand_back_to
        if old and old.baseline_database and not needs_baseline:
            drop_baseline_database(connection, old.baseline_database)
        if needs_baseline:
            create_baseline_database(connection, request.baseline_database)
            _set_up_baseline_database(replace(settings, database=request.baseline_database), request, deadline)
    logger.info("roles set up", extra={"owner": request.owner, "logins": request.logins, "handed_over": objects})


def _set_up_baseline_database(settings: DatabaseSettings, request: RolesRequest, deadline: Deadline) -> None:
    with closing(_connect_as_master(settings, deadline)) as connection:
        reconcile(connection, replace(request, hand_over_from=(), hand_back_to=""))
        create_extensions(connection, request.extensions)


def _previous(event: Event, request: RolesRequest) -> RolesRequest | None:
    """Return the request of the previous deployment, or None if that was for another database.

    Also returns None for malformed properties: they were rejected, so nothing has to be revoked.
    """
    try:
        old = RolesRequest.from_event(event, "OldResourceProperties")
    except EventError:
        return None
    return old if old.database.is_same(request.database) else None


def _connect_as_master(settings: DatabaseSettings, deadline: Deadline) -> Connection:
    """Log in with the password, or with a token if the master user is a member of rds_iam. Retry until the deadline.

    The session starts with a safe search path. Settings of the role or of the database do not change it.
    """
    password = _master_password()

    def log_in_with(secret: str) -> Connection:
        server_settings = {
            "search_path": SEARCH_PATH,
            "statement_timeout": f"{max(1, int(deadline.seconds_left * 1000))}",
        }
        return open_connection(settings, password=secret, application_name=PHYSICAL_ID, server_settings=server_settings)

    def attempt() -> Connection:
        try:
            return log_in_with(password)
        except psycopg2.OperationalError as exc:
            if not is_rejected_login(exc):
                raise
            return log_in_with(generate_token(settings))

    return retry_connect(attempt, deadline, f"master user {settings.user} at {settings.host}:{settings.port}")


def _master_password() -> str:
    arn = os.environ.get("MASTER_SECRET_ARN")
    if not arn:
        raise SettingsError("MASTER_SECRET_ARN must be set (got nothing)")
    secret = boto3.client("secretsmanager", config=_SECRETS_CONFIG).get_secret_value(SecretId=arn)
    return str(json.loads(secret["SecretString"])["password"])
