"""The CDK app, and the only place that reads environment and context."""

import os
import sys

from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra import settings
from infra.errors import InfraError
from infra.stack import PrivateDatabaseStack


def main() -> None:
    """Synthesize the stack that the context asks for; findings of cdk-nag fail the synth."""
    app = App()
    context = {key: app.node.try_get_context(key) for key in settings.CONTEXT_KEYS}
    chosen = settings.parse(
        {key: str(value) for key, value in context.items() if value is not None},
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


if __name__ == "__main__":
    try:
        main()
    except InfraError as exc:
        sys.exit(f"error: {exc}")
