"""The example stack with the Alembic project of another application: without the querier."""

import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Template

from infra.context import parse
from infra.stack import PrivateDatabaseStack
from tests import alembic_projects
from tests.infra.template import Synthesized


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    project = alembic_projects.AlembicProject(tmp_path_factory.mktemp("shop"))
    project.add("r1", "CREATE TABLE t (id int)", "GRANT SELECT ON t TO reports")
    project.ini.write_text(project.ini.read_text().replace("[alembic]", "[alembic]\ndatabase_users = reports", 1))
    settings = parse({"alembic-project": str(project.folder), "wheels": "local"})
    app = App(outdir=str(tmp_path_factory.mktemp("out")), analytics_reporting=False)
    stack = PrivateDatabaseStack(app, "Other", settings=settings, env=Environment(region=settings.region))
    return Synthesized(Template.from_stack(stack).to_json())


def test_local_wheels_change_the_zips_only(template: Synthesized, dev: Synthesized) -> None:
    def settings_of(stack: Synthesized) -> dict[str, object]:
        function = dict(stack.function("UpgradeMigrator"))
        return {name: function[name] for name in ("Architectures", "Runtime", "Handler", "MemorySize", "Timeout")}

    assert settings_of(template) == settings_of(dev)


def test_the_stack_of_another_project_has_no_querier(template: Synthesized, dev: Synthesized) -> None:
    assert "querier" in str(dev.body).lower()
    assert "querier" not in str(template.body).lower()
    assert template.of_type("AWS::Scheduler::Schedule") == {}
    assert template.of_type("AWS::SQS::Queue") == {}


def test_the_stack_of_another_project_has_the_users_that_the_project_names(template: Synthesized) -> None:
    assert template.properties("Custom::DatabaseRoles")["Users"] == ["reports"]


def test_the_stack_of_another_project_has_the_alarms_of_the_upgrade_and_of_the_database(
    template: Synthesized,
) -> None:
    assert {name[:7] for name in template.of_type("AWS::CloudWatch::Alarm")} == {"Upgrade", "Monitor"}
