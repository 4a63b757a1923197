"""`Custom::AlembicUpgrade`: `alembic upgrade head` as a part of the deployment, for any Alembic project.

Knows no application: it takes a database that a migrating role can log in to with IAM tokens, and a folder.
"""

from dataclasses import asdict
from pathlib import Path

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.settings import LOCK_TIMEOUT_SECONDS, PROJECT, FunctionSettings
from rds_alembic.assets.function_asset import Bundle
from rds_alembic.constructs.alarms import alarm_at_one
from rds_alembic.constructs.function_environment import FunctionEnvironment, UpgradeEnvironment
from rds_alembic.constructs.postgres_function import Login, PostgresFunction
from rds_alembic.constructs.provider import Framework
from rds_alembic.constructs.python_function import Place, Program, PythonFunction
from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import AlembicProject

SERVICE = "migrator"
AUTOGENERATE = ("rds_alembic/__init__.py", "rds_alembic/autogenerate")  # env.py may import it
TIMEOUT = Duration.minutes(14)  # the framework's function, which waits for the answer, is cut off after 15
TOTAL_TIMEOUT = Duration.hours(1)  # the longest that CloudFormation waits for a custom resource


class AlembicUpgrade(Construct):
    """The schema of a database at the head of an Alembic project; a deployment fails when that cannot be reached."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Path,
        login: Login,
        place: Place,
        settings: FunctionSettings,
        lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
        baseline: str = "",
        allow_ahead: str = "",
        rerun: str = "",
    ) -> None:
        """Take the folder that has alembic.ini, and the login of the role that migrates.

        `lock_timeout_seconds` is how long a revision waits for a table in use, with everybody else waiting behind it,
        before it steps back and tries again later. `baseline`, `allow_ahead` and `rerun` are explicit choices for one
        deployment: see `infra.settings.UpgradeSettings`. Raises RdsAlembicError for a project that cannot be deployed.
        """
        super().__init__(scope, construct_id)
        history = AlembicProject.read(project)
        _check_baseline(baseline, history)
        bundle = _bundle(history, login)
        checker = PythonFunction(self, "Checker", program=_checker(bundle), settings=settings)
        checker.add_to_role_policy(_describe_own_stack(self))
        self.migrator = PostgresFunction(
            self,
            "Migrator",
            login=login,
            program=_migrator(bundle, login, lock_timeout_seconds),
            place=place,
            settings=settings,
        )
        framework = Framework(
            self,
            "Framework",
            on_event=checker,
            is_complete=self.migrator,
            total_timeout=TOTAL_TIMEOUT,
            settings=settings.logs,
        )
        self.resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::AlembicUpgrade",
            service_token=framework.service_token,
            service_timeout=TOTAL_TIMEOUT,
            properties={
                "ScriptsDigest": history.digest,
                "Revisions": list(history.revisions),
                "Database": login.identity(),
                "TimeoutSeconds": str(TOTAL_TIMEOUT.to_seconds()),
                "Baseline": baseline,
                "AllowAhead": allow_ahead,
                "Rerun": rerun,
            },
        )
        self.migrator.usable_before(self.resource)
        self.resource.node.add_dependency(checker)  # with its policy, which it needs to recognise a rollback
        # Lambda's count of errors also has those that keep the handler from counting, as a timeout does.
        self.failed_alarm = alarm_at_one(
            self,
            "FailedAlarm",
            self.migrator.metric_errors(),
            description="The migrator failed: the database is not at the head of its revisions",
        )

    @property
    def revision(self) -> str:
        """The revision that the database is at after the deployment."""
        return self.resource.get_att_string("Revision")

    @property
    def revisions_applied(self) -> str:
        """How many revisions the last upgrade applied."""
        return self.resource.get_att_string("RevisionsApplied")

    @property
    def seconds(self) -> str:
        """The seconds that they took."""
        return self.resource.get_att_string("Seconds")

    @property
    def schema(self) -> str:
        """The state of the schema: at head, or ahead of the code by which revisions."""
        return self.resource.get_att_string("Schema")


def _check_baseline(baseline: str, history: AlembicProject) -> None:
    if baseline and baseline not in history.revisions:
        raise RdsAlembicError(
            f"baseline must be a revision of {history.scripts} (got {baseline!r}): see alembic history"
        )


def _describe_own_stack(scope: Construct) -> iam.PolicyStatement:
    """Allow to ask for the status of the stack, which alone tells a rollback from a deployment."""
    return iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Stack.of(scope).stack_id])


def _bundle(history: AlembicProject, login: Login) -> Bundle:
    return Bundle(
        name="migrator",
        packages=("migrator", "rds_iam"),
        requirements="migrator.txt",
        files=login.files() | history.files(PROJECT / ".build") | {name: PROJECT / name for name in AUTOGENERATE},
    )


def _checker(bundle: Bundle) -> Program:
    return Program(
        description="Checks the request for an upgrade",
        handler="migrator.request_handler.on_event",
        bundle=bundle,
        environment=FunctionEnvironment(powertools_service_name=SERVICE),
        timeout=Duration.minutes(1),
    )


def _migrator(bundle: Bundle, login: Login, lock_timeout_seconds: float) -> Program:
    postgres = asdict(login.environment(SERVICE))
    return Program(
        description="Upgrades the database to the head of its Alembic revisions",
        handler="migrator.upgrade_handler.is_complete",
        bundle=bundle,
        environment=UpgradeEnvironment(**postgres, lock_timeout_seconds=f"{lock_timeout_seconds:g}"),
        timeout=TIMEOUT,
        memory_mib=512,
    )
