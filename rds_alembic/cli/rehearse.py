"""The command `rds-alembic rehearse`: apply the revisions to an ephemeral PostgreSQL, by the functions of a deployment.

The project's own zip runs on a bare interpreter and logs in as the migrator, with a token. See `localaws.rehearsal`.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from rds_alembic.assets import BUILD_FOLDER, wheels
from rds_alembic.assets.function_asset import build_asset
from rds_alembic.assets.migrator import check_imports, upgrade_asset
from rds_alembic.cli.context import Settings
from rds_alembic.cli.rehearsal_report import RehearsalReport
from rds_alembic.errors import RdsAlembicError
from rds_alembic.lock_timeout import parse_lock_timeout
from rds_alembic.revisions.alembic_project import AlembicProject

if TYPE_CHECKING:
    from localaws.rehearsal import Rehearsal


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. An option that is not set has the value of a setting."""

    context: Sequence[str] = ()
    project: Path | None = None
    include: Sequence[Path] = ()
    requirements: Path | None = None
    start: str = ""
    version: int = 17
    users: Sequence[str] = ()
    reader: str = "reader"
    owner: str = "app_owner"
    migrator: str = "migrator"
    database: str = "app"
    variables: Sequence[str] = ()
    verbose: bool = False


@click.command()
@click.option("-c", "--context", multiple=True, metavar="KEY=VALUE", help="A setting of the deployment, as for cdk.")
@click.option("--project", type=Path, help="The folder of the Alembic project [-c alembic-project].")
@click.option("--include", type=Path, multiple=True, help="A folder of code for the zip, repeatable [-c include].")
@click.option("--requirements", type=Path, help="A lock file with hashes [-c requirements].")
@click.option("--from", "start", default="", metavar="REVISION", help="Start after this revision, not from base.")
@click.option("--postgres", "version", type=click.IntRange(15, 18), default=17, help="PostgreSQL's major version [17].")
@click.option("--user", "users", multiple=True, help="A login role for GRANTs, repeatable [option database_users].")
@click.option("--reader", default="reader", help="The role of the operators who read [reader].")
@click.option("--owner", default="app_owner", help="The role that owns the tables [app_owner].")
@click.option("--migrator", default="migrator", help="The role that logs in [migrator].")
@click.option("--database", default="app", help="The name of the database [app].")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the migrator, repeatable.")
@click.option("-v", "--verbose", is_flag=True, help="Show the log of the functions.")
def rehearse(**options: Any) -> None:
    """Apply the revisions to an ephemeral PostgreSQL, by the functions of a deployment.

    Settings that are not options are read from the context of the CDK app in this folder: -c, then cdk.json.
    """
    previous = signal.signal(signal.SIGTERM, _end)
    try:
        _rehearse(Options(**options))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _end(*_: object) -> NoReturn:
    sys.exit(143)


def _rehearse(options: Options) -> None:
    settings = Settings(Path.cwd(), options.context, os.environ)
    project = _read_project(options, settings)
    requirements = options.requirements or (Path(text) if (text := settings.get("requirements")) else None)
    earlier = project.up_to(options.start) if options.start not in ("", "base") else None
    arguments = _arguments(options, settings, project)
    report = RehearsalReport(verbose=options.verbose)
    code_zip = _build(project, requirements)
    earlier_zip = _build(earlier, requirements) if earlier else b""
    with _rehearsal(arguments) as rehearsal, report:
        rehearsal.set_up_roles(code_zip, report.log)
        previous = _properties(earlier) if earlier else None
        if previous:
            rehearsal.upgrade(earlier_zip, previous, report.log)
        report.begin(project, version=options.version, start=options.start)
        result = rehearsal.upgrade(code_zip, _properties(project), report.revision_or_log, previous=previous)
    report.end(result.revision, result.applied, result.invocations)


def _arguments(options: Options, settings: Settings, project: AlembicProject) -> dict[str, Any]:
    """Return the arguments of RehearsalSettings. Raises RdsAlembicError."""
    users = options.users or project.settings.database_users
    return {
        "owner": options.owner,
        "migrator": options.migrator,
        "users": users,
        "reader": options.reader if options.reader not in users else "",
        "extensions": _list(settings.get("extensions")),
        "database": options.database,
        "version": options.version,
        "variables": _variables(options, settings),
    }


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _variables(options: Options, settings: Settings) -> dict[str, str]:
    """Return the environment variables of the migrator. Raises RdsAlembicError."""
    variables = {}
    for text in options.variables:
        name, separator, variables[name] = text.partition("=")
        if not name or not separator:
            raise RdsAlembicError(f"--env must be NAME=VALUE (got {text!r})")
    return variables | {"LOCK_TIMEOUT_SECONDS": f"{parse_lock_timeout(settings.get('lock-timeout', '3')):g}"}


def _read_project(options: Options, settings: Settings) -> AlembicProject:
    folder = options.project or Path(settings.get("alembic-project", "."))
    include = options.include or [Path(path) for path in _list(settings.get("include"))]
    return AlembicProject.read(folder, include=include)


def _build(project: AlembicProject, requirements: Path | None) -> bytes:
    """Return the zip of a project for this machine. Raises RdsAlembicError for a module that the zip lacks."""
    architecture = wheels.local_architecture()
    asset = upgrade_asset(project, requirements)
    check_imports(project, asset, architecture)
    return build_asset(asset, architecture).path.read_bytes()


def _properties(project: AlembicProject) -> dict[str, object]:
    """Return the properties of Custom::AlembicUpgrade."""
    return {"MigrationsDigest": project.migrations_digest, "Revisions": list(project.revisions)}


@contextmanager
def _rehearsal(arguments: Mapping[str, Any]) -> Iterator["Rehearsal"]:
    """Start the database. Raises RdsAlembicError for an error of the database or of a function."""
    try:
        from localaws.certificates import CertificateAuthority  # noqa: PLC0415 - with packages of an extra
        from localaws.errors import LocalAwsError  # noqa: PLC0415
        from localaws.rehearsal import Rehearsal, RehearsalSettings  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise RdsAlembicError(
            f"the package {exc.name} must be installed to rehearse: pip install 'rds-alembic[local]'"
        ) from exc
    try:
        with Rehearsal(
            RehearsalSettings(**arguments), certificates=CertificateAuthority(BUILD_FOLDER / "local-ca")
        ) as rehearsal:
            yield rehearsal
    except LocalAwsError as exc:
        raise RdsAlembicError(str(exc)) from exc
