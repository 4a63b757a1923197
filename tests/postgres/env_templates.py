"""The files of `alembic init` since Alembic 1.0, with connection sharing as in Alembic's cookbook."""

# The env.py of `alembic init`. `{online}` is the body of run_migrations_online(), as in the cookbook.
TEMPLATE = """\
{imports}
from logging.config import fileConfig

from sqlalchemy import engine_from_config
from sqlalchemy import pool

from alembic import context

config = context.config

{logging}

target_metadata = None


def run_migrations_offline():
    url = config.get_main_option("sqlalchemy.url")
    context.configure(url=url, target_metadata=target_metadata, literal_binds=True)

    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
{online}


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
"""
SHARED_BEFORE_1_8 = """\
    connectable = config.attributes.get('connection', None)

    if connectable is None:
        connectable = engine_from_config(
            config.get_section(config.config_ini_section),
            prefix='sqlalchemy.',
            poolclass=pool.NullPool)

    # when connectable is already a Connection object, calling
    # connect() gives us a *branched connection*.

    with connectable.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=target_metadata
        )

        with context.begin_transaction():
            context.run_migrations()
"""
SHARED_SINCE_1_8 = """\
    connectable = config.attributes.get('connection', None)

    if connectable is None:
        connectable = engine_from_config(
            config.get_section(config.config_ini_section),
            prefix='sqlalchemy.',
            poolclass=pool.NullPool)

        with connectable.connect() as connection:
            context.configure(
                connection=connection, target_metadata=target_metadata
            )

            with context.begin_transaction():
                context.run_migrations()
    else:
        context.configure(
            connection=connectable,
            target_metadata=target_metadata
        )

        with context.begin_transaction():
            context.run_migrations()
"""
UNGUARDED = "fileConfig(config.config_file_name)"
GUARDED = "if config.config_file_name is not None:\n    fileConfig(config.config_file_name)"
TEMPLATES = {
    "1.0": TEMPLATE.format(
        imports="from __future__ import with_statement", logging=UNGUARDED, online=SHARED_BEFORE_1_8
    ),
    "1.4": TEMPLATE.format(imports="", logging=UNGUARDED, online=SHARED_SINCE_1_8),
    "1.8": TEMPLATE.format(imports="", logging=GUARDED, online=SHARED_SINCE_1_8),
    "the folder of alembic.ini": TEMPLATE.format(
        imports="from pathlib import Path",
        logging=UNGUARDED + "\nassert (Path(config.config_file_name).parent / 'scripts').is_dir()",
        online=SHARED_SINCE_1_8,
    ),
}
INI = """\
[alembic]
script_location = %(here)s/scripts
path_separator = os
sqlalchemy.url = driver://user:pass@localhost/dbname
databases = engine1, engine2

[engine1]
sqlalchemy.url = driver://user:pass@localhost/dbname

[engine2]
sqlalchemy.url = driver://user:pass@localhost/dbname2

[loggers]
keys = root,sqlalchemy,alembic

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARN
handlers = console
qualname =

[logger_sqlalchemy]
level = WARN
handlers =
qualname = sqlalchemy.engine

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
datefmt = %H:%M:%S
"""
