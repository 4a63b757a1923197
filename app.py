"""The CDK app. Only this module reads the environment and the context."""

import os
import sys
from collections.abc import Callable, Mapping

from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.context import CONTEXT_KEYS, DEFAULT_REGION, parse
from infra.stack import PrivateDatabaseStack
from rds_alembic import RdsAlembicError

VARIABLE_PREFIX = "PRIVATE_DATABASE_"
"""The start of the names of environment variables for settings that are not in the context."""


def create_app(environ: Mapping[str, str]) -> App:
    """Return the app with the stack for its context. Findings of cdk-nag fail the synth."""
    app = App()
    settings = parse(
        read_settings(app.node.try_get_context, environ),
        region=environ.get("CDK_DEFAULT_REGION") or DEFAULT_REGION,
    )
    PrivateDatabaseStack(
        app,
        settings.stack_name,
        settings=settings,
        env=Environment(account=environ.get("CDK_DEFAULT_ACCOUNT"), region=settings.region),
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def read_settings(context: Callable[[str], object], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the settings in the context, or else in environment variables."""
    variables = {key: VARIABLE_PREFIX + key.replace("-", "_").upper() for key in CONTEXT_KEYS}
    values = {key: environ.get(name) if context(key) is None else context(key) for key, name in variables.items()}
    return {key: str(value) for key, value in values.items() if value is not None}


if __name__ == "__main__":
    try:
        create_app(os.environ).synth()
    except RdsAlembicError as exc:
        sys.exit(f"error: {exc}")
