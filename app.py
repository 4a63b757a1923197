"""The CDK app, and the only place that reads environment and context."""

import os
import sys
from collections.abc import Callable, Mapping

from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra import settings
from infra.stack import PrivateDatabaseStack
from rds_alembic.errors import RdsAlembicError

VARIABLE_PREFIX = "PRIVATE_DATABASE_"
"""Of the environment variables that are read for settings that the context does not name."""


def main() -> None:
    """Synthesize the stack that the context asks for; findings of cdk-nag fail the synth."""
    app = App()
    chosen = settings.parse(
        read_settings(app.node.try_get_context, os.environ),
        region=os.environ.get("CDK_DEFAULT_REGION") or settings.DEFAULT_REGION,
    )
    PrivateDatabaseStack(
        app,
        chosen.stack_name,
        settings=chosen,
        env=Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=chosen.region),
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


def read_settings(context: Callable[[str], object], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that are given: by the context, or else by an environment variable."""
    variables = {key: VARIABLE_PREFIX + key.replace("-", "_").upper() for key in settings.CONTEXT_KEYS}
    found = {key: environ.get(name) if context(key) is None else context(key) for key, name in variables.items()}
    return {key: str(value) for key, value in found.items() if value is not None}


if __name__ == "__main__":
    try:
        main()
    except RdsAlembicError as exc:
        sys.exit(f"error: {exc}")
