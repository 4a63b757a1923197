"""The variants of the app, synthesized in one process, because its start takes longer than a synthesis.

`python -m tests.e2e.apps.variants FOLDER` reads {name: {"context": {…}, "change": a name in CHANGES or null,
"database": its name or null}} from FOLDER/variants.json. It writes an assembly FOLDER/NAME for each variant, and then
prints NAME.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aws_cdk import App, CfnOutput, Environment, aws_iam
from aws_cdk import aws_lambda as lambda_

from infra.context import parse
from infra.stack import PrivateDatabaseStack
from rds_alembic import AlembicUpgrade

CHECKOUT = Path(__file__).parents[3]
# The migrator reserves 15 of these seconds, and does not start a further revision with less than 30 s left: after a
# revision that takes more than a second, the next revision is left for the next invocation.
SHORT_TIMEOUT_SECONDS = 46
# Rejected logins are retried for two minutes, or until the end of the function's time.
REJECTED_LOGIN_TIMEOUT_SECONDS = 17

type Change = Callable[[PrivateDatabaseStack], None]


def main(folder: Path) -> None:
    for name, variant in json.loads((folder / "variants.json").read_text()).items():
        synthesize(folder / name, variant["context"], CHANGES.get(variant["change"]), variant["database"])
        print(name, flush=True)


def synthesize(output: Path, context: Mapping[str, Any], change: Change | None, database: str | None) -> None:
    """Synthesize the stack as app.py does, with a change of it or with another name of the database."""
    flags: dict[str, Any] = json.loads((CHECKOUT / "cdk.json").read_text())["context"]
    app = App(context={**flags, **context}, outdir=str(output))
    chosen = parse(context, region=os.environ["CDK_DEFAULT_REGION"])
    if database:
        chosen = replace(chosen, database=replace(chosen.database, name=database))
    env = Environment(account=os.environ["CDK_DEFAULT_ACCOUNT"], region=chosen.region)
    stack = PrivateDatabaseStack(app, chosen.stack_name, settings=chosen, env=env)
    if change:
        change(stack)
    app.synth()


def forget_grant(stack: PrivateDatabaseStack) -> None:
    """Remove `rds-db:connect` from the policy of the migrator, as without `grant_connect`."""
    function = upgrade(stack).migrator.function
    [policy] = [child for child in function.node.find_all() if isinstance(child, aws_iam.CfnPolicy)]
    document = stack.resolve(policy.policy_document)
    others = [statement for statement in document["Statement"] if statement["Action"] != "rds-db:connect"]
    if len(others) == len(document["Statement"]):
        raise AssertionError("the policy of the migrator must contain rds-db:connect")
    policy.policy_document = {**document, "Statement": others}
    set_timeout(function, REJECTED_LOGIN_TIMEOUT_SECONDS)


def fail_after_upgrade(stack: PrivateDatabaseStack) -> None:
    """Add a resource that Lambda rejects after the upgrade: the function has no such alias."""
    refused = lambda_.CfnEventInvokeConfig(
        stack, "Refused", function_name=upgrade(stack).migrator.function.function_name, qualifier="no-such-alias"
    )
    upgrade(stack).execute_before(refused)


def shorten_invocations(stack: PrivateDatabaseStack) -> None:
    """Shorten the timeout of the migrator, so that two revisions take two invocations, and output their number."""
    set_timeout(upgrade(stack).migrator.function, SHORT_TIMEOUT_SECONDS)
    CfnOutput(stack, "Invocations", value=upgrade(stack).resource.get_att_string("Invocations"))


def upgrade(stack: PrivateDatabaseStack) -> AlembicUpgrade:
    construct = stack.node.find_child("Upgrade")
    assert isinstance(construct, AlembicUpgrade)
    return construct


def set_timeout(function: lambda_.Function, seconds: int) -> None:
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)
    resource.timeout = seconds


CHANGES: dict[str | None, Change] = {
    change.__name__: change for change in (forget_grant, fail_after_upgrade, shorten_invocations)
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
