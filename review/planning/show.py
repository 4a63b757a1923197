"""The output of `make plan`, for a terminal or for a pull request."""

import sys
from contextlib import redirect_stdout
from typing import Literal

from rich.console import Console

from review.planning import markdown, terminal
from review.planning.plan import make_plan
from review.planning.releases import find_start
from review.revision_scripts import RevisionScripts


def show(
    scripts: RevisionScripts,
    *,
    revision: str | None,
    since: str | None,
    format: Literal["text", "markdown"],  # noqa: A002 - the name of the option
) -> None:
    """Print the plan from a revision, from a git ref, or from the last release, to the heads.

    Raises ReviewError for an unknown start.
    """
    with redirect_stdout(sys.stderr):  # revisions may print
        plan = make_plan(scripts, find_start(scripts, revision=revision, since=since))
    if format == "markdown":
        sys.stdout.write(markdown.render_markdown(plan))
    else:
        terminal.show(plan, Console())
