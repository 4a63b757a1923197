"""The demo: start a local AWS, deploy, show the migration and the data, destroy.

The data is the row that the querier writes, or, in a stack without querier, the tables of the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from psycopg2.extensions import connection
from rich.table import Column, Table

from localaws import cdk
from localaws.aws import LocalAws
from localaws.certificates import CertificateAuthority
from localaws.constants import STATE
from localaws.emulator.instance import EmulatorInstance, new_instance
from localaws.steps import Step, Steps

STEPS, STEPS_WHEN_KEPT = 8, 6
QUERIES = "SELECT * FROM queries ORDER BY id"
LOG = """
SELECT revision, round(seconds::numeric, 2) AS seconds, date_trunc('seconds', applied_at) AS applied_at, login
FROM alembic_history.revisions ORDER BY id
"""
TABLES = """
SELECT schemaname AS schema, tablename AS table, tableowner AS owner FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'alembic_history') ORDER BY 1, 2
"""
NEXT_COMMANDS = """
The local AWS is still running. Commands to configure your shell for it, to look into its database, to deploy your
changes, and to stop it:

  eval "$(.venv/bin/python -m localaws env)"
  .venv/bin/rds-alembic status --stack {stack}
  .venv/bin/rds-alembic query "select * from alembic_version" --stack {stack}
  .venv/bin/python -m localaws deploy
  .venv/bin/python -m localaws down

Logs: {folder}"""


@dataclass
class Demo:
    """One demo, with the settings in `context`. With `keep`, the local AWS runs on at the end."""

    steps: Steps
    keep: bool = False
    context: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Run the demo. An error or Ctrl-C stops the local AWS."""
        instance = new_instance()
        with ThreadPoolExecutor(1) as pool:
            # The synthesis needs no AWS. It runs while the local AWS starts.
            assembly = pool.submit(_synthesize, instance, self.context)
            aws = self._start(instance)
            try:
                self._deploy_and_show(aws, assembly)
                if not self.keep:
                    self._destroy(aws, assembly.result())
            except BaseException:
                self.steps.console.print("stopping the local AWS …")
                aws.stop()
                raise
        if self.keep:
            self._print_next_commands(aws)
        else:
            self._stop(aws)
        self.steps.console.print(f"\n{self.steps.seconds:.0f} s in all", highlight=False)

    def _start(self, instance: EmulatorInstance) -> LocalAws:
        with self.steps.step("start the local AWS") as step:
            aws = LocalAws.start(instance, keep=self.keep)
            step.result = f"{aws.endpoint}, with signatures and policies verified"
            return aws

    def _deploy_and_show(self, aws: LocalAws, assembly: Future[Path]) -> None:
        self._bootstrap(aws)
        outputs = self._deploy(aws, assembly)
        self._show_migration(aws, outputs)
        if "QuerierFunction" in outputs:
            self._invoke_querier(aws, outputs["QuerierFunction"])
            self._show(aws, "the rows of queries", QUERIES)
        else:
            self._show(aws, "the migration log", LOG)
            self._show(aws, "the tables", TABLES)

    def _bootstrap(self, aws: LocalAws) -> None:
        with self.steps.step("cdk bootstrap") as step:
            cdk.Cdk(aws, _note_events(step)).bootstrap()

    def _deploy(self, aws: LocalAws, assembly: Future[Path]) -> Mapping[str, str]:
        with self.steps.step("cdk synth (began with the first step)") as step:
            synthesized = assembly.result()
            resources = _number_of_resources(synthesized)
            step.result = f"{resources} resources"
        with self.steps.step("cdk deploy") as step:
            outputs = cdk.Cdk(aws, _note_events(step)).deploy(synthesized, cdk.stack_of(synthesized).name)
            [database] = aws.databases()
            step.result = f"{resources} resources; PostgreSQL {database.version} ({database.kind}) behind RDS"
            return outputs

    def _show_migration(self, aws: LocalAws, outputs: Mapping[str, str]) -> None:
        table = Table("output", Column("value", overflow="fold"), title="the migration", title_justify="left")
        table.add_row("revision reached", outputs["Revision"])
        table.add_row(
            "revisions applied", f"{outputs['RevisionsApplied']}, in {float(outputs['UpgradeSeconds']):.2f} s"
        )
        for login in dict.fromkeys(aws.logins()):
            table.add_row(f"login {login.user}", f"with a token of the role {login.principal.split('/')[1]}")
        self.steps.console.print(table)

    def _invoke_querier(self, aws: LocalAws, function: str) -> None:
        with self.steps.step("invoke the querier with the event of its schedule") as step:
            due_at = datetime.now(UTC).isoformat(timespec="seconds")
            step.result = json.dumps(aws.invoke(function, {"time": due_at}))

    def _show(self, aws: LocalAws, title: str, sql: str) -> None:
        with self.steps.step(title), closing(aws.connect("migrator")) as database:
            table = rows_of(database, sql)
        self.steps.console.print(table)

    def _destroy(self, aws: LocalAws, assembly: Path) -> None:
        with self.steps.step("cdk destroy") as step:
            cli, stack = cdk.Cdk(aws, _note_events(step)), cdk.stack_of(assembly)
            if stack.is_protected:
                step.note("first cdk deploy -c protection=off")
                context = {**self.context, "protection": "off"}
                cli.deploy(_synthesize(aws.instance, context), stack.name)
            cli.destroy(assembly, stack.name)

    def _stop(self, aws: LocalAws) -> None:
        with self.steps.step("stop the local AWS"):
            aws.stop()

    def _print_next_commands(self, aws: LocalAws) -> None:
        self.steps.console.print(
            NEXT_COMMANDS.format(folder=aws.instance.folder, stack=cdk.STACK), highlight=False, markup=False
        )


def rows_of(database: connection, sql: str) -> Table:
    """Return the rows of a query as a table."""
    with database.cursor() as cursor:
        cursor.execute(sql)
        table = Table(*(Column(column.name, overflow="fold") for column in cursor.description or ()))
        for row in cursor.fetchall() if cursor.description else ():
            table.add_row(*(str(value) for value in row))
    database.commit()
    return table


def deploy(aws: LocalAws, steps: Steps, context: Mapping[str, str]) -> None:
    """Deploy the checkout to a running local AWS, with the settings in `context`."""
    with steps.step("cdk synth"):
        assembly = _synthesize(aws.instance, context)
    with steps.step("cdk deploy") as step:
        outputs = cdk.Cdk(aws, _note_events(step)).deploy(assembly, cdk.stack_of(assembly).name)
        step.result = f"revision {outputs['Revision']}"


def _synthesize(instance: EmulatorInstance, context: Mapping[str, str]) -> Path:
    """Synthesize with the settings in `context`. The settings of the local AWS take precedence."""
    authority = CertificateAuthority(STATE / "ca")
    return cdk.synth(instance.folder / "cdk.out", context={**context, **cdk.local_context(authority.ca_path)})


def _number_of_resources(assembly: Path) -> int:
    template = json.loads((assembly / f"{cdk.stack_of(assembly).name}.template.json").read_text())
    return len(template["Resources"])


def _note_events(step: Step) -> cdk.Progress:
    def note(event: cdk.StackEvent) -> None:
        count = f"{event.done}/{event.total}" if event.total else f"{event.done}"
        step.note(f"{count}  {event.resource}")

    return note
