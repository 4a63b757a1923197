"""The example of the README, in the stack of another team."""

import re

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from infra.settings import PROJECT
from tests.infra.template import Synthesized


def test_the_example_of_the_readme_sets_up_roles_then_upgrades_then_creates_the_service() -> None:
    stack = Stack(App(), "Shop", env=Environment(region="eu-central-1"))
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
    database = rds.DatabaseInstance(stack, "Database", engine=engine, vpc=vpc, iam_authentication=True)
    blocks = re.findall(r"^```python\n(.+?)^```$", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (example,) = [block for block in blocks if "import Migrations" in block]
    names = {
        "self": stack,
        "vpc": vpc,
        "database": database,
        "service": sns.Topic(stack, "Service"),
    }
    exec(example.replace('"backend"', repr(str(PROJECT))), names)
    template = Synthesized(Template.from_stack(stack).to_json())
    upgrade = template.id_of("Custom::AlembicUpgrade")
    assert template.id_of("Custom::DatabaseRoles") in template.depends_on(upgrade)
    assert upgrade in template.depends_on(template.id_of("AWS::SNS::Topic"))
