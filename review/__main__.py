"""The commands behind `make lint-sql`, `make freeze` and `make plan`."""

import argparse
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console

from review.errors import ReviewError
from review.linting import frozen_revisions, report
from review.linting.lint import lint
from review.revision_scripts import RevisionScripts


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Return 0 without findings, 1 with findings, 2 after an error."""
    options = _parser().parse_args(arguments)
    try:
        with redirect_stdout(sys.stderr):  # revisions may print
            scripts = RevisionScripts.read(options.config)
        return int(options.run(scripts, options))
    except ReviewError as exc:
        sys.stderr.write(f"{options.target}: {' '.join(str(exc).split())}\n")
        return 2


def _lint(scripts: RevisionScripts, options: argparse.Namespace) -> int:
    with redirect_stdout(sys.stderr):
        result = lint(scripts, must_be_frozen=options.frozen)
    report.show(result, Console(), os.environ)
    return 1 if result.findings else 0


def _freeze(scripts: RevisionScripts, _options: argparse.Namespace) -> int:
    frozen = frozen_revisions.FrozenRevisions.read(scripts)
    added = frozen.freeze(frozen_revisions.sources_of(scripts))
    sys.stdout.write("".join(f"frozen: {revision}\n" for revision in added) or "all revisions are frozen already\n")
    return 0


def _plan(scripts: RevisionScripts, options: argparse.Namespace) -> int:
    from review.planning.show import show  # noqa: PLC0415 - the other commands do not need it

    show(scripts, revision=options.revision, since=options.since, format=options.format)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m review", description="The commands behind make lint-sql, make freeze and make plan."
    )
    commands = parser.add_subparsers(required=True, metavar="lint | freeze | plan")
    lint_command = commands.add_parser(
        "lint",
        help="make lint-sql: apply the rules of squawk and of this project",
        prog="make lint-sql",
        usage="make lint-sql [FROZEN=1]",
    )
    lint_command.add_argument("--frozen", action="store_true", help="report revisions that are not frozen as findings")
    lint_command.set_defaults(run=_lint, target="make lint-sql")
    freeze = commands.add_parser(
        "freeze",
        help=f"make freeze: record all revisions in {frozen_revisions.NAME}",
        prog="make freeze",
        usage="make freeze",
    )
    freeze.set_defaults(run=_freeze, target="make freeze")
    plan = commands.add_parser(
        "plan",
        help="make plan: show the SQL, locks and findings of the next deployment",
        prog="make plan",
        usage="make plan [FROM=REVISION | SINCE=GIT_REF] [FORMAT=text | FORMAT=markdown]",
    )
    plan.add_argument("--from", dest="revision", metavar="REVISION", help="the revision of the database")
    plan.add_argument("--since", metavar="GIT_REF", help="start at the head in this commit, tag or branch")
    plan.add_argument("--format", choices=["text", "markdown"], default="text")
    plan.set_defaults(run=_plan, target="make plan")
    for command in (lint_command, freeze, plan):
        command.add_argument("--config", type=Path, default=Path("alembic.ini"), metavar="alembic.ini")
    return parser


if __name__ == "__main__":
    sys.exit(main())
