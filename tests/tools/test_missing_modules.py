"""The modules that the user's code needs and that the function's zip lacks."""

from pathlib import Path
from textwrap import dedent

import pytest

from rds_alembic.assets.imports import MissingModule, missing_modules

ENV = "project/alembic/env.py"
LIBRARIES = {"alembic/__init__.py": "", "sqlalchemy/__init__.py": "", "psycopg2/_psycopg.cpython-313-x86_64.so": ""}


@pytest.fixture
def missing(tmp_path: Path) -> "Missing":
    return Missing(tmp_path)


class Missing:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        env: str,
        included: dict[str, str] | None = None,
        functions: tuple[str, ...] = (),
        libraries: dict[str, str] | None = None,
    ) -> list[MissingModule]:
        texts = (
            LIBRARIES
            | (libraries or {})
            | {ENV: env}
            | {f"project/{name}.py": text for name, text in (included or {}).items()}
        )
        files = {}
        for name, text in texts.items():
            files[name] = self.folder / name
            files[name].parent.mkdir(parents=True, exist_ok=True)
            files[name].write_text(dedent(text))
        return missing_modules({ENV: functions}, files, search_path=["", "project"], user_folder="project")


def names(modules: list[MissingModule]) -> list[str]:
    return [module.name for module in modules]


def test_a_missing_module_is_reported_with_the_file_and_line_of_its_import(missing: Missing) -> None:
    assert missing("import alembic\n\nfrom app.models import Base\n") == [MissingModule("app", ENV, 3)]


@pytest.mark.parametrize(
    "statement",
    [
        "import json.decoder",
        "import boto3",
        "from alembic import context",
        "import psycopg2._psycopg",
        "import dateutil.tz",
    ],
)
def test_the_zip_the_standard_library_and_the_runtime_are_not_missing(missing: Missing, statement: str) -> None:
    assert missing(statement) == []


@pytest.mark.parametrize("module", ["cgi", "imghdr", "telnetlib"])
def test_modules_that_python_3_13_has_removed_are_missing_on_every_python(missing: Missing, module: str) -> None:
    assert names(missing(f"import {module}")) == [module]


def test_imports_of_included_code_are_followed(missing: Missing) -> None:
    modules = missing(
        "from app.models import Base",
        {
            "app/models": "from app.core import config\nfrom .types import Money\n",
            "app/types": "import babel.numbers\n",
            "app/core/config": "import pydantic_settings\n",
        },
    )
    assert modules == [
        MissingModule("babel", "project/app/types.py", 1),
        MissingModule("pydantic_settings", "project/app/core/config.py", 1),
    ]


def test_a_package_is_imported_before_its_module(missing: Missing) -> None:
    modules = missing("import shop.models", {"shop/__init__": "import celery", "shop/models": "import sqlalchemy"})
    assert modules == [MissingModule("celery", "project/shop/__init__.py", 1)]


def test_a_module_that_is_missing_in_an_included_package_is_named_in_full(missing: Missing) -> None:
    modules = missing("from app.models.user import User", {"app/models/__init__": ""})
    assert names(modules) == ["app.models.user"]


def test_a_name_that_is_a_module_is_followed_and_a_name_that_is_not_is_no_module(missing: Missing) -> None:
    modules = missing("from app import models, VERSION", {"app/models": "import pandas", "app/__init__": ""})
    assert names(modules) == ["pandas"]


def test_circular_imports_end(missing: Missing) -> None:
    assert missing("import a", {"a": "import b", "b": "import a"}) == []


def test_the_libraries_own_imports_are_not_followed(missing: Missing) -> None:
    assert missing("import lib", libraries={"lib/__init__.py": "import left_out_of_the_lock"}) == []


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    import yaml\nexcept ImportError:\n    yaml = None",
        "try:\n    import yaml\nexcept (ModuleNotFoundError, OSError):\n    pass",
        "try:\n    import yaml\nexcept:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import yaml",
        "import typing\nif typing.TYPE_CHECKING:\n    import yaml",
        "if context.is_offline_mode():\n    import yaml",
        "def offline():\n    import yaml\nif context.is_offline_mode():\n    offline()\nelse:\n    online()",
        'if __name__ == "__main__":\n    import yaml',
        "def downgrade():\n    import yaml",
        "class Model:\n    def save(self):\n        import yaml",
        "load = lambda: __import__('yaml')",
        "import sys\nif sys.version_info < (3, 11):\n    import yaml",
        "import sys\nif sys.platform == 'win32':\n    import yaml\nelse:\n    import json",
        "if settings.debug:\n    import yaml",
        "with suppress(ImportError):\n    import yaml",
        "def debug():\n    import yaml\nif settings.debug:\n    debug()",
    ],
)
def test_an_import_that_an_upgrade_does_not_run_is_not_needed(missing: Missing, code: str) -> None:
    assert missing(code) == []


@pytest.mark.parametrize(
    "code",
    [
        "import yaml as loader",
        "def online():\n    import yaml\nwith engine.connect():\n    online()",
        "class Model:\n    import yaml",
        "def online():\n    import yaml\nonline()",
        "def do():\n    import yaml\nasync def online():\n    await c.run_sync(do)\nasyncio.run(online())",
        "if context.is_offline_mode():\n    pass\nelse:\n    import yaml",
        "if not context.is_offline_mode():\n    import yaml",
        "try:\n    import yaml\nexcept ImportError:\n    log()\n    raise",
        "try:\n    import yaml\nexcept KeyError:\n    pass",
        "try:\n    pass\nfinally:\n    import yaml",
        "@decorated\ndef f(): ...\ndef decorated(f):\n    import yaml",
    ],
)
def test_an_import_that_an_upgrade_runs_is_needed(missing: Missing, code: str) -> None:
    assert names(missing(code)) == ["yaml"]


def test_the_upgrade_of_a_revision_is_called_and_its_downgrade_is_not(missing: Missing) -> None:
    code = "def upgrade():\n    helper()\ndef helper():\n    import numpy\ndef downgrade():\n    import pandas"
    assert names(missing(code, functions=("upgrade",))) == ["numpy"]
