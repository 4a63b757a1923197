"""The command line: `.venv/bin/python -m review lint`, `freeze` or `plan`."""

import argparse
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console

from review.errors import ReviewError
from review.history import History
from review.linting import frozen, report
from review.linting.lint import lint


def main(arguments: list[str] | None = None) -> int:
    """Run a command: 0 if all is well, 1 with findings, 2 if there is nothing to judge."""
    options = _parser().parse_args(arguments)
    try:
        with redirect_stdout(sys.stderr):  # a revision may print something
            history = History.read(options.config)
        return int(options.run(history, options))
    except ReviewError as exc:
        sys.stderr.write(f"review: {' '.join(str(exc).split())}\n")
        return 2


def _lint(history: History, options: argparse.Namespace) -> int:
    with redirect_stdout(sys.stderr):
        verdict = lint(history, must_be_frozen=options.frozen)
    report.show(verdict, Console(), os.environ)
    return 1 if verdict.findings else 0


def _freeze(history: History, _options: argparse.Namespace) -> int:
    lock = frozen.Lock.of(history)
    added = frozen.freeze(lock, frozen.sources(history))
    sys.stdout.write("".join(f"frozen: {revision}\n" for revision in added) or "all revisions are frozen already\n")
    return 0


def _plan(history: History, options: argparse.Namespace) -> int:
    from review.planning.show import show  # noqa: PLC0415 - the other commands do without it

    show(history, start=options.start, since=options.since, format=options.format)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m review", description="judge the revisions of an Alembic project"
    )
    commands = parser.add_subparsers(required=True, metavar="lint | freeze | plan")
    lint_command = commands.add_parser("lint", help="squawk's rules and our own on every revision")
    lint_command.add_argument("--frozen", action="store_true", help="a revision that is not frozen is a finding")
    lint_command.set_defaults(run=_lint)
    freeze = commands.add_parser("freeze", help=f"add revisions to {frozen.NAME}: from then on they may not be edited")
    freeze.set_defaults(run=_freeze)
    plan = commands.add_parser("plan", help="the SQL, locks and findings of the revisions that a deployment would run")
    plan.add_argument("--from", dest="start", metavar="REVISION", help="the revision that the database is at")
    plan.add_argument("--since", metavar="GIT_REF", help="only what was added after this commit, tag or branch")
    plan.add_argument("--format", choices=["text", "markdown"], default="text")
    plan.set_defaults(run=_plan)
    for command in (lint_command, freeze, plan):
        command.add_argument("--config", type=Path, default=Path("alembic.ini"), metavar="alembic.ini")
    return parser


if __name__ == "__main__":
    sys.exit(main())
