"""The env.py files of `alembic init` since Alembic 1.0, with connection sharing as in Alembic's cookbook."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config

from migrator.decision import Decision
from tests.postgres.env_templates import INI, TEMPLATES
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, recorded, refusal


@pytest.fixture
def generic(project: Project) -> Project:
    """Return a project with the alembic.ini of the template."""
    (project.folder / "alembic.ini").write_text(INI)
    return project


@pytest.fixture
def own_logger() -> Iterator[logging.Logger]:
    """Return a logger with a handler and a level, as the loggers of a function."""
    logger = logging.getLogger("the function")
    handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)


@pytest.mark.parametrize("env", TEMPLATES.values(), ids=TEMPLATES)
def test_the_env_of_a_template_upgrades_and_does_not_change_the_loggers_of_the_function(
    run: Upgrade, generic: Project, bootstrapped: Cluster, own_logger: logging.Logger, env: str
) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), list(own_logger.handlers))
    generic.env(env)
    generic.add("r2", body="import logging\nassert not logging.getLogger('the function').disabled")
    assert run(generic).applied == ("r1", "r2")
    assert run(generic).decision is Decision.NOTHING
    assert recorded(bootstrapped) == ["r1", "r2"]
    assert (root.level, root.handlers, own_logger.handlers) == before
    assert (own_logger.disabled, own_logger.level, own_logger.propagate) == (False, logging.DEBUG, False)


def test_the_logging_configuration_of_env_applies_while_a_revision_runs(
    run: Upgrade, generic: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("alembic"), "level", logging.NOTSET)
    generic.env(TEMPLATES["1.8"])
    run(generic)
    assert "INFO  [alembic.runtime.migration] Running upgrade  -> r1" in capfd.readouterr().err
    assert logging.getLogger("alembic").level == logging.NOTSET


@pytest.mark.parametrize("template", ["generic", "async", "multidb", "pyproject", "pyproject_async"])
def test_the_env_of_a_template_without_connection_sharing_is_rejected(
    run: Upgrade, generic: Project, template: str
) -> None:
    templates = Path(Config().get_template_directory())
    generic.env((templates / template / "env.py").read_text())
    assert refusal(run, generic) == (
        "env.py failed before it ran the revisions: NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:driver;"
        " env.py must use the connection in config.attributes['connection'] and commit"
    )


SHARED = """
    connection = config.attributes.get("connection")
    if connection is None:
        asyncio.run(run_async_migrations())
    else:
        do_run_migrations(connection)
"""


@pytest.mark.parametrize("template", ["async", "pyproject_async"])
def test_an_async_template_with_the_connection_sharing_of_the_cookbook_upgrades(
    run: Upgrade, generic: Project, bootstrapped: Cluster, template: str
) -> None:
    # https://alembic.sqlalchemy.org/en/latest/cookbook.html#programmatic-api-use-connection-sharing-with-asyncio
    env = (Path(Config().get_template_directory()) / template / "env.py").read_text()
    assert env.count("\n    asyncio.run(run_async_migrations())\n") == 1
    generic.env(env.replace("\n    asyncio.run(run_async_migrations())\n", SHARED))
    run(generic)
    assert recorded(bootstrapped) == ["r1"]


ASK = """
import json
ini = config.config_file_name
answers = {
    "revision": context.get_revision_argument(),
    "start": context.get_starting_revision_argument(),
    "head": context.get_head_revision(),
    "heads": context.get_head_revisions(),
    "tag": context.get_tag_argument(),
    "x": context.get_x_argument(),
    "x of a name": context.get_x_argument(as_dictionary=True).get("tenant"),
    "offline": context.is_offline_mode(),
    "ini": config.config_file_name,
    "section": config.config_ini_section,
    "url": config.get_section(config.config_ini_section)["sqlalchemy.url"],
    "attributes": sorted(config.attributes),
    "command": config.cmd_opts.cmd[0].__name__,
    "argument": config.cmd_opts.revision,
    "sql": config.cmd_opts.sql,
    "autogenerate": getattr(config.cmd_opts, "autogenerate", False),
    "script": context.script.get_current_head(),
}
config.print_stdout("printed by env.py")
config.attributes["seen"] = True
with open(ini + ".answers", "w") as file:
    json.dump(answers, file)
"""


def test_the_functions_of_alembic_return_to_env_the_same_as_in_alembic_upgrade_head(
    run: Upgrade, generic: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    generic.env(TEMPLATES["1.8"].replace("target_metadata = None\n", f"target_metadata = None\n{ASK}"))
    generic.add("r2")
    run(generic)
    ini = generic.folder / "alembic.ini"
    assert json.loads(Path(f"{ini}.answers").read_text()) == {
        "revision": "r2",
        "start": None,
        "head": "r2",
        "heads": ["r2"],
        "tag": None,
        "x": [],
        "x of a name": None,
        "offline": False,
        "ini": str(ini),
        "section": "alembic",
        "url": "driver://user:pass@localhost/dbname",
        "attributes": ["connection"],
        "command": "upgrade",
        "argument": "head",
        "sql": False,
        "autogenerate": False,
        "script": "r2",
    }


def test_the_functions_of_the_configured_context_work_in_env(run: Upgrade, project: Project) -> None:
    env = project.folder / "scripts/env.py"
    lines = "assert context.get_context().connection is context.get_bind() is not None\n"
    lines += "assert context.get_starting_revision_argument() is None\nwith context.begin"
    env.write_text(env.read_text().replace("with context.begin", lines))
    assert run(project).applied == ("r1",)
