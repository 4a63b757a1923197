"""The local AWS: start and stop it, create API clients and environments for it, and connect to its database."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import psycopg2
import psycopg2.extensions
from botocore.exceptions import BotoCoreError

from localaws.api_client import api_client
from localaws.certificates import CertificateAuthority
from localaws.constants import ACCOUNT, COMMAND, HOST, REGION, STATE
from localaws.emulator import process
from localaws.emulator.instance import EmulatorInstance, State, instances_left_running, new_instance
from localaws.errors import LocalAwsError


@dataclass(frozen=True)
class Database:
    """A running database, as the emulator lists it."""

    identifier: str
    kind: str
    version: int
    host: str
    port: int
    name: str


@dataclass(frozen=True)
class AcceptedLogin:
    """A login with an accepted token."""

    user: str
    principal: str


class FunctionError(LocalAwsError):
    """An invocation failed. `kind`: Lambda's errorType."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS. The end of its context stops it."""

    instance: EmulatorInstance
    state: State
    ca_path: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def start(cls, instance: EmulatorInstance | None = None, *, keep: bool = False) -> Self:
        """Start a local AWS and wait until it answers. Without `keep`, it ends when this process ends."""
        instance, certificates = instance or new_instance(), CertificateAuthority(STATE / "ca")
        instance.hold_as_starter()
        started = process.start(instance, certificates, keep=keep)
        try:
            root = cls(instance, process.wait_for_state(instance, started), certificates.ca_path, started)
            # No polling: the port accepts connections already, and the response comes when ministack is ready.
            return root._with_administrator()
        except BotoCoreError as error:
            process.stop(instance, started)
            last = process.last_log_line(instance)
            message = f"the emulator does not answer: {error}{last}; its log: {instance.emulator_log}"
            raise LocalAwsError(message) from error
        except BaseException:
            process.stop(instance, started)
            raise

    @classmethod
    def attach(cls) -> Self:
        """Return the newest local AWS that was left running. Raises LocalAwsError if there is no such local AWS."""
        for instance in instances_left_running():
            return cls.from_instance(instance)
        raise LocalAwsError(f"no local AWS was left running; start one with: {COMMAND} up")

    @classmethod
    def from_instance(cls, instance: EmulatorInstance) -> Self:
        """Return the local AWS of a running instance."""
        state = instance.state()
        if state is None:
            raise LocalAwsError(f"the local AWS of {instance.folder} is not ready yet; try again in a few seconds")
        return cls(instance, state, CertificateAuthority(STATE / "ca").ca_path)

    def stop(self) -> None:
        """Stop the local AWS with its functions and databases."""
        process.stop(self.instance, self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """Return the URL of all AWS APIs."""
        return f"https://{HOST}:{self.state.port}"

    def env(self) -> dict[str, str]:
        """Return the complete environment of a program that uses this AWS and no settings of the developer."""
        credentials = {"AWS_ACCESS_KEY_ID": self.state.access_key, "AWS_SECRET_ACCESS_KEY": self.state.secret_key}
        account = {"CDK_DEFAULT_ACCOUNT": ACCOUNT, "CDK_DEFAULT_REGION": REGION}
        trust = {"AWS_CA_BUNDLE": str(self.ca_path), "NODE_EXTRA_CA_CERTS": str(self.ca_path)}
        folders = {"HOME": str(self.instance.home), "TMPDIR": str(self.instance.temporary)}
        return {
            **{name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ},
            **credentials,
            **account,
            **trust,
            **folders,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:  # boto3 makes the classes of its clients at run time
        """Return a boto3 client with the administrator's credentials, which ignores the developer's profiles."""
        return api_client(service, self.endpoint, self.state.access_key, self.state.secret_key, str(self.ca_path))

    def databases(self) -> list[Database]:
        """Return the running databases."""
        if not self.instance.databases.exists():
            return []
        return [Database(**entry) for entry in json.loads(self.instance.databases.read_text())]

    def logins(self) -> list[AcceptedLogin]:
        """Return the logins with accepted tokens, oldest first."""
        if not self.instance.logins.exists():
            return []
        return [AcceptedLogin(**json.loads(line)) for line in self.instance.logins.read_text().splitlines()]

    def connect(self, user: str) -> psycopg2.extensions.connection:
        """Log in to the deployed database with a token of the administrator."""
        databases = self.databases()
        if len(databases) != 1:
            raise LocalAwsError(f"the local AWS must have one deployed database (got {len(databases)})")
        [database] = databases
        token = self.client("rds").generate_db_auth_token(database.host, database.port, user, REGION)
        return psycopg2.connect(
            host=database.host,
            port=database.port,
            dbname=database.name,
            user=user,
            password=token,
            sslmode="verify-full",
            sslrootcert=str(self.ca_path),
        )

    def invoke(self, function: str, payload: object = None) -> Any:  # the result of any function
        """Invoke a function and return its result. Raises FunctionError."""
        response = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        body = json.loads(response["Payload"].read() or b"null")
        if "FunctionError" in response:
            raise FunctionError(body.get("errorType", "?"), body.get("errorMessage", "?"))
        return body

    def logs(self, function: str) -> list[str]:
        """Return the log lines of a function, oldest first."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=function)
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function}"
        logs = self.client("logs")
        try:
            pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
        except logs.exceptions.ResourceNotFoundException:
            return []  # the group is created with the first line
        return [event["message"] for page in pages for event in page["events"]]

    def _with_administrator(self) -> Self:
        """Return this AWS with a new administrator: ministack does not verify the requests of the root."""
        iam, name = self.client("iam"), "administrator"
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        key = iam.create_access_key(UserName=name)["AccessKey"]
        state = replace(self.state, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
        self.instance.write_state(state)
        return replace(self, state=state)
