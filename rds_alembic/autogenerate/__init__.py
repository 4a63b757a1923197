"""Additions to `alembic revision --autogenerate` for PostgreSQL, for an env.py: `context.configure(..., **OPTIONS)`.

They create, extend and drop enum types, compare CHECK constraints by name, and write no revision without changes. The
revisions import alembic and sqlalchemy only. So does this package, because it runs in the env.py of its user.
"""

from typing import Any

from alembic.runtime.plugins import Plugin

from rds_alembic.autogenerate import enum_types
from rds_alembic.autogenerate.rewriter import rewriter

__all__ = ["OPTIONS"]

_ENUM_TYPES = "rds_alembic.enum_types"

Plugin.setup_plugin_from_module(enum_types, _ENUM_TYPES)

OPTIONS: dict[str, Any] = {
    "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", _ENUM_TYPES],
    "render_item": enum_types.render_item,
    "process_revision_directives": rewriter,
}
"""Arguments of `context.configure()`. https://alembic.sqlalchemy.org/en/latest/api/runtime.html"""
