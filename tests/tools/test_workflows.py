"""The workflows on GitHub: their make targets exist, and they give no rights to code of a pull request."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # comes with cfn-lint, its types do not

from review.reports import markdown

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# What GitHub itself makes up; titles, names of branches and the like are somebody's text.
TRUSTED = {"github.token", "github.repository", "github.event.pull_request.number"}

type Workflow = dict[Any, Any]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> Workflow:
    loaded: Workflow = yaml.safe_load(request.param.read_text())
    return loaded


def steps(workflow: Workflow) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def scripts(workflow: Workflow) -> list[str]:
    return [step["run"] for step in steps(workflow) if "run" in step]


def test_the_repository_has_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml"]


def test_every_make_target_of_a_workflow_exists(workflow: Workflow) -> None:
    called = [word for script in scripts(workflow) for word in re.findall(r"\bmake (?:--\w+ )*([a-z-]+)", script)]
    assert called
    assert set(called) <= TARGETS


def test_every_ci_runs_the_gate_of_contributors(workflow: Workflow) -> None:
    assert "make pr" in scripts(workflow)
    assert "make pr" in (ROOT / ".ci/run").read_text().splitlines()


def test_no_script_contains_an_expression(workflow: Workflow) -> None:
    assert [script for script in scripts(workflow) if "${{" in script] == []


def test_environments_contain_trusted_expressions_only(workflow: Workflow) -> None:
    values = [str(value) for step in steps(workflow) for value in step.get("env", {}).values()]
    expressions = {name for value in values for name in re.findall(r"\$\{\{\s*(.+?)\s*\}\}", value)}
    assert expressions <= TRUSTED


def test_a_workflow_has_no_permissions_outside_its_jobs(workflow: Workflow) -> None:
    assert workflow["permissions"] == {}


def test_a_job_with_write_permission_runs_no_code_of_the_pull_request(workflow: Workflow) -> None:
    for job in workflow["jobs"].values():
        if "write" in job["permissions"].values():
            assert job["permissions"] == {"pull-requests": "write"}
            assert not any("checkout" in step.get("uses", "") for step in job["steps"])
        else:
            assert job["permissions"] == {"contents": "read"}


def test_no_job_runs_code_of_a_fork_with_secrets(workflow: Workflow) -> None:
    triggers = workflow[True]  # YAML 1.1 reads `on` as a boolean
    assert set(triggers) == {"pull_request", "push"}
    assert "secrets." not in str(workflow)


def test_a_checkout_does_not_keep_the_token(workflow: Workflow) -> None:
    checkouts = [step for step in steps(workflow) if "checkout" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_action_is_pinned_to_a_commit(workflow: Workflow) -> None:
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])


def test_every_job_has_a_timeout(workflow: Workflow) -> None:
    assert all(job["timeout-minutes"] <= 30 for job in workflow["jobs"].values())


def test_the_workflow_searches_its_comment_by_the_first_line_of_the_plan(workflow: Workflow) -> None:
    markers = [step["env"]["MARKER"] for step in steps(workflow) if "MARKER" in step.get("env", {})]
    assert markers == [markdown.MARKER]


def test_setup_runs_before_the_plan_is_written_to_its_file(workflow: Workflow) -> None:
    run = [step["run"] for step in workflow["jobs"]["plan"]["steps"] if "run" in step]
    assert run[0] == "make setup"
    assert "make --silent plan > plan.md" in run[1]
