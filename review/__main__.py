"""The commands behind `make plan`, `make lint-sql`, `make freeze` and `make revision`."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from rich.console import Console

from review.errors import ReviewError
from review.production import Production
from review.record import record
from review.reports import machine, markdown, text
from review.revision_scripts import RevisionScripts
from review.rules.frozen_revisions import FrozenRevisions
from review.rules.judge import Judgement, judge
from review.start import Start, find_baseline, find_start

USAGE = {
    "plan": "make plan [FROM=REVISION | SINCE=GIT_REF] [FORMAT=text|markdown|json] [TABLES=FILE]",
    "lint": "make lint-sql [SINCE=GIT_REF] [FORMAT=github|json|sarif] [FROZEN=1]",
    "freeze": "make freeze",
    "revision": 'make revision m="MESSAGE" [RENAME=[TABLE.]OLD:NEW | RENAME=no] [PLAIN=1]',
}

NEVER_FROZEN = {"cannot-run", "edited-history", "versions-lock"}
"""The rules of findings that prevent `make freeze` also in revisions up to the baseline."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Return 0 without findings, 1 with findings, 2 after an error."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ReviewError as exc:
        target = USAGE[options.command].split(" [")[0].split(" m=")[0]
        sys.stderr.write(f"{target}: {' '.join(str(exc).split())}\n")
        return 2


def _plan(options: argparse.Namespace) -> int:
    production = Production.read(options.tables)
    judgement = _judge(options, lambda scripts: find_start(scripts, revision=options.revision, since=options.since))
    if options.format == "markdown":
        sys.stdout.write(markdown.render_markdown(judgement, production))
    elif options.format == "json":
        sys.stdout.write(machine.plan_as_json(judgement, production))
    else:
        text.show_plan(judgement, production, Console())
    return 0


def _lint(options: argparse.Namespace) -> int:
    judgement = _judge(options, lambda scripts: find_baseline(scripts, since=options.since))
    return _report(judgement, options.format)


def _freeze(options: argparse.Namespace) -> int:
    """Freeze the revisions that are not frozen yet, if they have no findings."""
    scripts = RevisionScripts.read(options.config)
    frozen = FrozenRevisions.read(scripts)
    start = Start(scripts.before_first(lambda revision: revision not in frozen.entries), "the frozen revisions")
    judgement = _judge(options, lambda _: start)
    judged = {script.revision for script in scripts.after(find_baseline(scripts, since=None).revisions)}
    if any(finding.revision in {*judged, None} or finding.rule in NEVER_FROZEN for finding in judgement.findings):
        _report(judgement, None)
        raise ReviewError("no revision was frozen, because there are findings")
    added = frozen.freeze(judgement.recordings)
    sys.stdout.write("".join(f"frozen: {revision}\n" for revision in added) or "all revisions are frozen already\n")
    return 0


def _revision(options: argparse.Namespace) -> int:
    """Write revisions by autogenerate, and judge them alone."""
    arguments = [*(["plain"] if options.plain else []), *(f"rename={name}" for name in options.rename)]
    config = Config(str(options.config), cmd_opts=argparse.Namespace(x=arguments, autogenerate=True))
    try:
        written = command.revision(config, options.message, autogenerate=True)
    except CommandError as exc:
        raise ReviewError(str(exc)) from exc
    ids = {script.revision for script in (written if isinstance(written, list) else [written]) if script}
    if not ids:
        return 0
    judgement = _judge(options, lambda scripts: Start(scripts.before_first(ids.__contains__), "the revisions before"))
    return _report(judgement, None)


def _judge(options: argparse.Namespace, start_of: Callable[[RevisionScripts], Start]) -> Judgement:
    with redirect_stdout(sys.stderr):  # revisions may print
        scripts = RevisionScripts.read(options.config)
        start = start_of(scripts)
        recordings = record(scripts, start.revisions)
        return judge(scripts, start, recordings, must_be_frozen=getattr(options, "frozen", False))


def _report(judgement: Judgement, form: str | None) -> int:
    if form == "json":
        sys.stdout.write(machine.findings_as_json(judgement))
    elif form == "sarif":
        sys.stdout.write(machine.findings_as_sarif(judgement))
    else:
        text.show_judgement(judgement, Console())
        if form == "github" or (form is None and os.environ.get("GITHUB_ACTIONS") == "true"):
            sys.stdout.write(machine.annotations(judgement.findings))
    return 1 if judgement.findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m review", description="\n".join(USAGE.values()))
    commands = parser.add_subparsers(required=True, dest="command")
    parsers = {}
    for name, run in {"plan": _plan, "lint": _lint, "freeze": _freeze, "revision": _revision}.items():
        parsers[name] = commands.add_parser(name, usage=USAGE[name])
        parsers[name].set_defaults(run=run)
        parsers[name].add_argument("--config", type=Path, default=Path("alembic.ini"), metavar="alembic.ini")
    for name in ("plan", "lint"):
        parsers[name].add_argument("--since", metavar="GIT_REF", help="omit the revisions of a commit, tag or branch")
    parsers["plan"].add_argument("--from", dest="revision", metavar="REVISION", help="the revision of the database")
    parsers["plan"].add_argument("--format", choices=["text", "markdown", "json"], default="text")
    parsers["plan"].add_argument("--tables", type=Path, metavar="FILE", help="the output of rds-alembic tables --json")
    parsers["lint"].add_argument("--format", choices=["github", "json", "sarif"])
    parsers["lint"].add_argument("--frozen", action="store_true", help="report revisions that are not frozen")
    parsers["revision"].add_argument("--message", required=True)
    parsers["revision"].add_argument("--plain", action="store_true", help="write Alembic's form")
    parsers["revision"].add_argument("--rename", action="append", default=[], metavar="OLD:NEW", help="rename a column")
    return parser


if __name__ == "__main__":
    sys.exit(main())
