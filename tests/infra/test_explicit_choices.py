"""Context values that a user chooses for one deployment, and the properties and variables that they become."""

from pathlib import Path

import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Template

from infra.context import parse
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    project = tmp_path_factory.mktemp("project")
    _write_project(project)
    chosen = parse(
        {
            "alembic-project": str(project),
            "lock-timeout": "0.5",
            "baseline": "first",
            "allow-ahead": "later,latest",
            "rerun": "after the incident",
        }
    )
    app = App(outdir=str(tmp_path_factory.mktemp("out")), analytics_reporting=False)
    stack = PrivateDatabaseStack(app, "Chosen", settings=chosen, env=Environment(region=chosen.region))
    return Synthesized(Template.from_stack(stack).to_json())


def _write_project(folder: Path) -> None:
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/scripts\n")
    (folder / "scripts" / "versions").mkdir(parents=True)
    (folder / "scripts" / "env.py").touch()
    (folder / "scripts" / "versions" / "first.py").write_text("revision = 'first'\ndown_revision = None\n")


def test_the_upgrade_gets_the_choices_that_the_user_makes_for_one_deployment(template: Synthesized) -> None:
    upgrade = template.properties("Custom::AlembicUpgrade")
    assert upgrade["Baseline"] == "first"
    assert upgrade["AllowAhead"] == "later,latest"
    assert upgrade["Rerun"] == "after the incident"


def test_the_role_setup_runs_again_with_the_upgrade(template: Synthesized) -> None:
    assert template.properties("Custom::DatabaseRoles")["Rerun"] == "after the incident"


def test_the_upgrade_takes_the_revisions_of_the_chosen_project(template: Synthesized) -> None:
    assert template.properties("Custom::AlembicUpgrade")["Revisions"] == ["first"]


def test_the_migrator_and_the_changing_function_get_the_chosen_lock_timeout(template: Synthesized) -> None:
    functions = template.of_type("AWS::Lambda::Function").values()
    variables = [function.get("Environment", {}).get("Variables", {}) for function in functions]
    assert [each["LOCK_TIMEOUT_SECONDS"] for each in variables if "LOCK_TIMEOUT_SECONDS" in each] == ["0.5"] * 2
