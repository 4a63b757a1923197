"""Synthesizes variants of the app in one process, since starting one costs more than a synthesis.

`python -m tests.e2e.apps.variants FOLDER` reads {name: {"context": {…}, "change": a name in CHANGES or null,
"database": its name or null}} from FOLDER/variants.json, leaves an assembly FOLDER/NAME for each, and prints NAME when
it is there.
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

from infra import settings
from infra.stack import PrivateDatabaseStack
from rds_alembic import AlembicUpgrade

CHECKOUT = Path(__file__).parents[3]
# Of these the migrator keeps 15 for its reserve, and begins no further revision with less than 30 left: so none
# begins after a revision that took more than a second.
SHORT_TIMEOUT_SECONDS = 46
# Refused logins are retried for two minutes, if the function has them.
IMPATIENT_TIMEOUT_SECONDS = 17

type Change = Callable[[PrivateDatabaseStack], None]


def main(folder: Path) -> None:
    for name, variant in json.loads((folder / "variants.json").read_text()).items():
        synthesize(folder / name, variant["context"], CHANGES.get(variant["change"]), variant["database"])
        print(name, flush=True)


def synthesize(output: Path, context: Mapping[str, str], change: Change | None, database: str | None) -> None:
    """Do what app.py does under the CLI, with a change to the stack, or with another name of the database."""
    flags: dict[str, Any] = json.loads((CHECKOUT / "cdk.json").read_text())["context"]
    app = App(context={**flags, **context}, outdir=str(output))
    chosen = settings.parse(context, region=os.environ["CDK_DEFAULT_REGION"])
    if database:
        chosen = replace(chosen, database=replace(chosen.database, name=database))
    env = Environment(account=os.environ["CDK_DEFAULT_ACCOUNT"], region=chosen.region)
    stack = PrivateDatabaseStack(app, chosen.stack_name, settings=chosen, env=env)
    if change:
        change(stack)
    app.synth()


def forget_grant(stack: PrivateDatabaseStack) -> None:
    """Take `rds-db:connect` from the migrator: what a forgotten `grant_connect` would deploy."""
    function = upgrade(stack).migrator.function
    [policy] = [child for child in function.node.find_all() if isinstance(child, aws_iam.CfnPolicy)]
    document = stack.resolve(policy.policy_document)
    kept = [statement for statement in document["Statement"] if statement["Action"] != "rds-db:connect"]
    if len(kept) == len(document["Statement"]):
        raise AssertionError("the migrator's policy has no rds-db:connect to take away")
    policy.policy_document = {**document, "Statement": kept}
    set_timeout(function, IMPATIENT_TIMEOUT_SECONDS)


def fail_after_upgrade(stack: PrivateDatabaseStack) -> None:
    """Add a resource that comes after the upgrade, and that Lambda refuses: no function has such an alias."""
    refused = lambda_.CfnEventInvokeConfig(
        stack, "Refused", function_name=upgrade(stack).migrator.function.function_name, qualifier="no-such-alias"
    )
    upgrade(stack).execute_before(refused)


def shorten_invocations(stack: PrivateDatabaseStack) -> None:
    """Give the migrator little time, so that a short chain of revisions takes several invocations; tell how many."""
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
