"""The local AWS as its users see it: start, stop, API clients, an environment for programs, the database."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import boto3
import botocore.session
import psycopg2
import psycopg2.extensions
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from localaws.certificates import Certificates
from localaws.emulator import process
from localaws.errors import LocalAwsError
from localaws.run import ACCOUNT, COMMAND, HOST, REGION, STATE, Run, State, new_run, runs_left_running


@dataclass(frozen=True)
class Database:
    """A running database, as the emulator reports it."""

    identifier: str
    kind: str
    version: int
    host: str
    port: int
    name: str


@dataclass(frozen=True)
class Login:
    """A login by token that was allowed."""

    user: str
    principal: str


class FunctionError(LocalAwsError):
    """An invocation ended with an error; `kind` is its errorType."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS. Used as a context manager it is stopped at the end."""

    run: Run
    state: State
    ca_path: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def start(cls, run: Run | None = None, *, keep: bool = False) -> Self:
        """Start one and wait until it answers; unless `keep`, it ends with this process, however that ends."""
        run, certificates = run or new_run(), Certificates(STATE / "ca")
        run.hold_as_starter()
        started = process.start(run, certificates, keep=keep)
        try:
            root = cls(run, process.wait_until_announced(run, started), certificates.ca_path, started)
            # The port takes connections from the start, so nothing is polled: the first answer comes when it can.
            return root._with_administrator()
        except BotoCoreError as error:
            process.stop(run, started)
            said = process.last_words(run)
            raise LocalAwsError(f"the emulator does not answer: {error}{said}; its log: {run.emulator_log}") from error
        except BaseException:
            process.stop(run, started)
            raise

    @classmethod
    def attach(cls) -> Self:
        """Return the one that was left running; the newest, if there are several."""
        for run in runs_left_running():
            return cls.of(run)
        raise LocalAwsError(f"no local AWS was left running; start one with: {COMMAND} up")

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return the one of a living run."""
        state = run.state()
        if state is None:
            raise LocalAwsError(f"the local AWS of {run.folder} is only just starting")
        return cls(run, state, Certificates(STATE / "ca").ca_path)

    def stop(self) -> None:
        """Stop it with everything that it started: functions, databases, front doors."""
        process.stop(self.run, self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The address of every AWS API."""
        return f"https://{HOST}:{self.state.port}"

    def env(self) -> dict[str, str]:
        """Return the whole environment for a program that is to see this AWS and nothing of the developer's."""
        credentials = {"AWS_ACCESS_KEY_ID": self.state.access_key, "AWS_SECRET_ACCESS_KEY": self.state.secret_key}
        account = {"CDK_DEFAULT_ACCOUNT": ACCOUNT, "CDK_DEFAULT_REGION": REGION}
        trust = {"AWS_CA_BUNDLE": str(self.ca_path), "NODE_EXTRA_CA_CERTS": str(self.ca_path)}
        folders = {"HOME": str(self.run.home), "TMPDIR": str(self.run.temporary)}
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
        return _client(service, self.endpoint, self.state.access_key, self.state.secret_key, str(self.ca_path))

    def databases(self) -> list[Database]:
        """Return the running databases."""
        if not self.run.databases.exists():
            return []
        return [Database(**entry) for entry in json.loads(self.run.databases.read_text())]

    def logins(self) -> list[Login]:
        """Return the logins by token that databases have allowed, oldest first."""
        if not self.run.logins.exists():
            return []
        return [Login(**json.loads(line)) for line in self.run.logins.read_text().splitlines()]

    def connect(self, user: str = "querier") -> psycopg2.extensions.connection:
        """Log in to the deployed database by a token: the administrator may do everything, this included."""
        databases = self.databases()
        if len(databases) != 1:
            raise LocalAwsError(f"expected one deployed database, found {len(databases)}")
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

    def invoke(self, function: str, payload: object = None) -> Any:  # whatever the function answers
        """Invoke a function and return its answer; raise FunctionError with its error."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        body = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise FunctionError(body.get("errorType", "?"), body.get("errorMessage", "?"))
        return body

    def logs(self, function: str) -> list[str]:
        """Return the lines that a function has logged, oldest first."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=function)
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function}"
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def _with_administrator(self) -> Self:
        """Return the same AWS, seen by a user whose every request is verified; the root's are not."""
        iam, name = self.client("iam"), "administrator"
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        key = iam.create_access_key(UserName=name)["AccessKey"]
        state = replace(self.state, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
        self.run.write_state(state)
        return replace(self, state=state)


@functools.cache  # a client takes 60 ms of processor time, and its first request a TLS handshake
def _client(service: str, endpoint: str, access_key: str, secret_key: str, ca_path: str) -> Any:
    no_profile = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=REGION,
        botocore_session=botocore.session.Session(session_vars=no_profile),
    )
    return session.client(service, endpoint_url=endpoint, verify=ca_path, config=Config(proxies={}))
