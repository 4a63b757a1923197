"""Synthesizes variants of the app in one process, since starting one costs more than a synthesis.

`python -m tests.e2e.apps.variants FOLDER` reads {name: {"context": {…}, "forget_grant": true or false}} from
FOLDER/variants.json, and leaves an assembly FOLDER/NAME for each.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import App, Environment, aws_iam

from infra import settings
from infra.stack import PrivateDatabaseStack

CHECKOUT = Path(__file__).parents[3]


def main(folder: Path) -> None:
    for name, variant in json.loads((folder / "variants.json").read_text()).items():
        synthesize(folder / name, variant["context"], forget=variant["forget_grant"])


def synthesize(output: Path, context: Mapping[str, str], *, forget: bool) -> None:
    """Do what app.py does under the CLI."""
    flags: dict[str, Any] = json.loads((CHECKOUT / "cdk.json").read_text())["context"]
    app = App(context={**flags, **context}, outdir=str(output))
    chosen = settings.parse(context, region=os.environ["CDK_DEFAULT_REGION"])
    env = Environment(account=os.environ["CDK_DEFAULT_ACCOUNT"], region=chosen.region)
    stack = PrivateDatabaseStack(app, chosen.stack_name, settings=chosen, env=env)
    if forget:
        forget_grant(stack)
    app.synth()


def forget_grant(stack: PrivateDatabaseStack) -> None:
    """Take `rds-db:connect` from the migrator: what a forgotten `grant_connect` would deploy."""
    migrator = stack.node.find_child("Upgrade").node.find_child("Migrator")
    [policy] = [found for found in migrator.node.find_all() if isinstance(found, aws_iam.CfnPolicy)]
    document = stack.resolve(policy.policy_document)
    kept = [statement for statement in document["Statement"] if statement["Action"] != "rds-db:connect"]
    if len(kept) == len(document["Statement"]):
        raise AssertionError("the migrator's policy has no rds-db:connect to take away")
    policy.policy_document = {**document, "Statement": kept}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
