"""Verify that the schema of the database is that of a baseline, before the baseline is recorded.

Runs the revisions up to the baseline in an empty database beside, which the role setup has created, and compares the
catalogs. Everything that works in a first deployment works there: revisions with an autocommit_block, other schemas,
data migrations. The revisions run as the migrator, and never in the database itself.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

import psycopg2
from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import divergence
from migrator.errors import BaselineError, ConnectionLostError, UpgradeError
from migrator.manifest import Manifest
from migrator.migration_log import MigrationLog, read_log
from migrator.revision_runner import RevisionRunner
from migrator.revision_scripts import RevisionScripts
from migrator.schema_catalog import Schema, read_schema
from migrator.session import Connect, open_session
from migrator.upgrade_context import UpgradeContext
from rds_iam.errors import RdsIamError

ALL = "all"

logger = Logger(child=True)


def check_baseline(
    context: UpgradeContext,
    scripts: RevisionScripts,
    manifest: Manifest,
    session: Connection,
    targets: Sequence[str],
) -> None:
    """Compare the schema that `session` sees with the one that the revisions up to `targets` create.

    Raises BaselineError that lists the differences, unless the request accepts exactly these.
    """
    request = context.request
    if request.accept_differences == ALL or not request.baseline_database:
        logger.warning("the baseline is not compared with the schema", extra={"baseline": request.baseline})
        return
    expected = _expected_schema(context, scripts, manifest, targets)
    differences = list(compare(expected, read_schema(session)))
    if not differences:
        return
    digest = hashlib.sha256("\n".join(differences).encode()).hexdigest()[:12]
    logger.warning("the schema differs from the baseline", extra={"differences": differences, "digest": digest})
    if digest == request.accept_differences:
        return
    count = f"{len(differences)} difference{'s' * (len(differences) > 1)}"
    raise BaselineError(
        f"the schema of the database must be that of {', '.join(targets)} (got {count}). Change the database, choose"
        f" another baseline, or accept exactly these differences with -c accept-differences={digest}. The log of the"
        f" function has all of them: {'; '.join(differences)}"
    )


def compare(expected: Schema, actual: Schema) -> Iterator[str]:
    """Yield a line for each difference. A missing or unexpected table is one difference, without its columns."""
    missing = {item for item in expected if item not in actual}
    # The database may have extensions that no revision needs.
    unexpected = {item for item in actual if item not in expected and item.kind != "extension"}
    parents = {item.name for item in missing | unexpected if item.parent is None}
    for item in sorted(missing | unexpected | expected.keys(), key=lambda item: (item.parent is not None, str(item))):
        if item.parent in parents:
            continue
        if item in missing:
            yield f"{item} is missing ({expected[item]})"
        elif item in unexpected:
            yield f"{item} is in no revision ({actual[item]})"
        elif expected[item] != actual[item]:
            yield f"{item} must be {expected[item]} (got {actual[item]})"


def _expected_schema(
    context: UpgradeContext, scripts: RevisionScripts, manifest: Manifest, targets: Sequence[str]
) -> Schema:
    connect = partial(context.connect_to, context.request.baseline_database)
    try:
        _run_revisions(context, scripts, manifest, targets, connect)
    except (ConnectionLostError, BaselineError):
        raise
    except (UpgradeError, RdsIamError, psycopg2.Error) as exc:
        request = context.request
        raise BaselineError(
            f"the baseline {request.baseline} cannot be compared with the schema: the revisions up to it must run in"
            f" the empty database {request.baseline_database!r}, which the role setup creates for a deployment with a"
            f" baseline (got {exc}). To record the baseline without a comparison, deploy with"
            f" -c accept-differences={ALL}"
        ) from exc
    with closing(open_session(connect)) as session:
        return read_schema(session)


def _run_revisions(
    context: UpgradeContext,
    scripts: RevisionScripts,
    manifest: Manifest,
    targets: Sequence[str],
    connect: Connect,
) -> None:
    """Run the revisions up to `targets` that the database does not have yet."""
    with closing(open_session(connect)) as session:
        _reject_other_content(session, context.request.baseline_database, manifest)
    log = MigrationLog(context.request, context.invocation, manifest)
    with RevisionRunner.open(scripts, connect, context.deadline) as runner:
        with runner.driver_connection() as connection:
            log.prepare(connection)
        for target in targets:
            for revision in scripts.missing(runner.heads(), target):
                logger.info("revision started in the database of the baseline", extra={"revision": revision})
                runner.apply(revision, log.record)
        runner.heads()  # verifies the commit of the last revision


def _reject_other_content(session: Connection, name: str, manifest: Manifest) -> None:
    """Raise BaselineError if the database has revisions that differ from those of the deployment."""
    log = read_log(session)
    if log.keys() - manifest.files.keys() or divergence.changed(log.keys(), manifest, log):
        raise BaselineError(
            f"the database {name!r} must be empty (got revisions of an earlier comparison): deploy with another text in"
            " -c rerun, which creates it again"
        )
