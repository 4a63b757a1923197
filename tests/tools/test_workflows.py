"""The workflows on GitHub: they call what there is, and give nothing away."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # comes with cfn-lint, its types do not

from review.planning import markdown

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


def test_there_are_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml"]


def test_every_make_target_that_is_called_exists(workflow: Workflow) -> None:
    called = [word for script in scripts(workflow) for word in re.findall(r"\bmake (?:--\w+ )*([a-z-]+)", script)]
    assert called
    assert set(called) <= TARGETS


def test_every_ci_runs_the_gate_of_contributors(workflow: Workflow) -> None:
    assert "make pr" in scripts(workflow)
    assert "make pr" in (ROOT / ".ci/run").read_text().splitlines()


def test_no_script_holds_an_expression(workflow: Workflow) -> None:
    assert [script for script in scripts(workflow) if "${{" in script] == []


def test_no_environment_holds_text_that_somebody_chose(workflow: Workflow) -> None:
    values = [str(value) for step in steps(workflow) for value in step.get("env", {}).values()]
    found = {name for value in values for name in re.findall(r"\$\{\{\s*(.+?)\s*\}\}", value)}
    assert found <= TRUSTED


def test_a_workflow_may_do_nothing_by_itself(workflow: Workflow) -> None:
    assert workflow["permissions"] == {}


def test_a_job_that_may_write_runs_no_code_of_the_pull_request(workflow: Workflow) -> None:
    for job in workflow["jobs"].values():
        if "write" in job["permissions"].values():
            assert job["permissions"] == {"pull-requests": "write"}
            assert not any("checkout" in step.get("uses", "") for step in job["steps"])
        else:
            assert job["permissions"] == {"contents": "read"}


def test_no_job_runs_with_secrets_on_code_of_a_fork(workflow: Workflow) -> None:
    triggers = workflow[True]  # YAML 1.1 reads `on` as a boolean
    assert set(triggers) == {"pull_request", "push"}
    assert "secrets." not in str(workflow)


def test_a_checkout_leaves_no_token_behind(workflow: Workflow) -> None:
    checkouts = [step for step in steps(workflow) if "checkout" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_action_is_pinned_to_a_commit(workflow: Workflow) -> None:
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])


def test_every_job_ends(workflow: Workflow) -> None:
    assert all(job["timeout-minutes"] <= 30 for job in workflow["jobs"].values())


def test_the_comment_is_found_by_the_first_line_of_the_plan(workflow: Workflow) -> None:
    markers = [step["env"]["MARKER"] for step in steps(workflow) if "MARKER" in step.get("env", {})]
    assert markers == [markdown.MARKER]


def test_the_plan_is_written_after_setup_has_said_its_part(workflow: Workflow) -> None:
    run = [step["run"] for step in workflow["jobs"]["plan"]["steps"] if "run" in step]
    assert run[0] == "make setup"
    assert "make --silent plan > plan.md" in run[1]
