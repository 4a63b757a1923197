"""`make plan`: what a deployment would do, for a terminal or for a pull request."""

import sys
from contextlib import redirect_stdout
from typing import Literal

from rich.console import Console

from review.history import History
from review.planning import markdown, plan, terminal
from review.planning.releases import find_start


def show(
    history: History,
    *,
    start: str | None,
    since: str | None,
    format: Literal["text", "markdown"],  # noqa: A002 - called as the option is
) -> None:
    """Print the plan from a revision, from a git ref, or from the last release, to the heads.

    Raises ReviewError if there is no such start, or nothing can be rendered.
    """
    with redirect_stdout(sys.stderr):  # a revision may print something, too
        made = plan.make(history, find_start(history, start=start, since=since))
    if format == "markdown":
        sys.stdout.write(markdown.document(made))
    else:
        terminal.show(made, Console())
