"""The commands that change the database. Each shows the database, the revision and the SQL, and asks."""

import time
import uuid

import click

from rds_alembic.cli.options import confirm, stack_options, yes_option
from rds_alembic.cli.output import print_answer
from rds_alembic.cli.stack import Answer, CommandError, Stack

_MAX_SHOWN_SQL = 20_000


@click.command()
@click.argument("revision", default="head")
@click.option("--sql", is_flag=True, help="Print the SQL, and change nothing.")
@yes_option
@stack_options
def upgrade(stack: Stack, *, revision: str, sql: bool, yes: bool, as_json: bool) -> None:
    """Apply the revisions up to REVISION, in Alembic's syntax."""
    plan = stack.change("plan", action="upgrade", revision=revision)
    if sql:
        _print_sql(plan)
        return
    print_answer(_run_steps(stack, plan, yes=yes), as_json=as_json)


@click.command(context_settings={"ignore_unknown_options": True})  # so that -1 is a revision
@click.argument("revision")
@click.option("--sql", is_flag=True, help="Print the SQL, and change nothing.")
@yes_option
@stack_options
def downgrade(stack: Stack, *, revision: str, sql: bool, yes: bool, as_json: bool) -> None:
    """Revert the revisions after REVISION, in Alembic's syntax: -1, base, or a revision."""
    plan = stack.change("plan", action="downgrade", revision=revision)
    if sql:
        _print_sql(plan)
        return
    print_answer(_run_steps(stack, plan, yes=yes), as_json=as_json)


@click.command()
@click.argument("revision")
@yes_option
@stack_options
def stamp(stack: Stack, *, revision: str, yes: bool, as_json: bool) -> None:
    """Record REVISION as the revision of the database, without running a revision."""
    plan = stack.change("plan", action="stamp", revision=revision)
    _show(stack, plan)
    confirm(f"Record {plan['target'] or 'base'}, without running a revision?", yes=yes)
    answer = stack.change("stamp", target=plan["target"], expected=plan["revision"], **_operation())
    print_answer(answer, as_json=as_json)


@click.command()
@click.argument("pid", nargs=-1, type=int)
@click.option("--any", "others", is_flag=True, help="Also a session that is not one of an upgrade.")
@yes_option
@stack_options
def cancel(stack: Stack, *, pid: tuple[int, ...], others: bool, yes: bool, as_json: bool) -> None:
    """Cancel the statement of the upgrade in progress, or of the sessions PID. A canceled revision fails."""
    _end_sessions(stack, "cancel", pid, others=others, yes=yes, as_json=as_json)


@click.command()
@click.argument("pid", nargs=-1, type=int)
@click.option("--any", "others", is_flag=True, help="Also a session that is not one of an upgrade.")
@yes_option
@stack_options
def terminate(stack: Stack, *, pid: tuple[int, ...], others: bool, yes: bool, as_json: bool) -> None:
    """End the sessions of the upgrade in progress, or the sessions PID, for example of a blocker."""
    _end_sessions(stack, "terminate", pid, others=others, yes=yes, as_json=as_json)


@click.command()
@yes_option
@stack_options
def rerun(stack: Stack, *, yes: bool, as_json: bool) -> None:
    """Run the role setup and the upgrade to head again, without a deployment."""
    click.echo(f"stack     {stack.name}, {stack.status}", err=True)
    confirm("Set up the roles of the deployment again, which restores lost logins and grants?", yes=yes)
    answer = stack.change("roles")
    plan = stack.change("plan", action="upgrade", revision="head")
    print_answer({**answer, **_run_steps(stack, plan, yes=yes)}, as_json=as_json)


def _run_steps(stack: Stack, plan: Answer, *, yes: bool) -> Answer:
    """Show the plan, ask, and invoke the function until all steps are done. Return the sum of the answers."""
    steps = [step["revision"] for step in plan["steps"]]
    if not steps:
        return {"revision": plan["revision"], "done": [], "complete": True}
    _show(stack, plan)
    confirm(f"{plan['action'].capitalize()} {len(steps)} revision{'s' if len(steps) > 1 else ''}?", yes=yes)
    operation, done, seconds = _operation(), [], 0.0
    while True:
        answer = stack.change(plan["action"], steps=steps, **operation)
        done += answer["done"]
        seconds += answer["seconds"]
        if answer["complete"]:
            break
        if not answer["done"]:
            raise CommandError(f"no revision was finished in an invocation; the database is at {answer['revision']}")
        click.echo(f"done so far: {', '.join(done)}; continuing in another invocation", err=True)
    return {**answer, "done": done, "seconds": round(seconds, 3)}


def _end_sessions(stack: Stack, command: str, pids: tuple[int, ...], *, others: bool, yes: bool, as_json: bool) -> None:
    sessions = stack.read("activity")["sessions"] if pids else stack.read("progress")["upgrade_sessions"]
    shown = [session for session in sessions if not pids or session["pid"] in pids]
    if not shown:
        raise CommandError(
            f"PID must be a session in the database (got {', '.join(map(str, pids))}): see rds-alembic activity"
            if pids
            else "there must be an upgrade in progress (got no session): see rds-alembic activity"
        )
    click.echo(f"stack     {stack.name}, {stack.status}", err=True)
    for session in shown:
        click.echo(f"pid {session['pid']}  {session['role']}  {session['state']}  {session['query']}", err=True)
    confirm(f"{command.capitalize()} {len(shown)} session{'s' if len(shown) > 1 else ''}?", yes=yes)
    print_answer(stack.change(command, pids=[session["pid"] for session in shown], others=others), as_json=as_json)


def _show(stack: Stack, plan: Answer) -> None:
    """Print a plan to standard error, so that standard output has the answer only."""
    click.echo(f"stack     {stack.name}, {stack.status}", err=True)
    click.echo(f"database  {plan['database']}", err=True)
    click.echo(f"revision  {', '.join(plan['revision']) or '-'}", err=True)
    for step in plan["steps"]:
        click.echo(f"{plan['action']}   {step['revision']}  {step['message']}", err=True)
    sql = plan["sql"]
    shown = sql if len(sql) <= _MAX_SHOWN_SQL else f"{sql[:_MAX_SHOWN_SQL]}\n-- {len(sql):,} characters: see --sql"
    click.echo(f"\n{shown.strip()}\n", err=True)
    if plan["sql_problem"]:
        click.echo(f"the SQL is not complete: {plan['sql_problem']}\n", err=True)


def _print_sql(plan: Answer) -> None:
    click.echo(plan["sql"])
    if plan["sql_problem"]:
        raise CommandError(f"the SQL is not complete: {plan['sql_problem']}")


def _operation() -> dict[str, object]:
    return {"operation": f"rds-alembic {uuid.uuid4()}", "started_at": int(time.time())}
