"""The walls between the packages: who may import whom."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {
    "code_digest",
    "infra",
    "localaws",
    "migrations",
    "migrator",
    "querier",
    "rds_iam",
    "review",
    "revision_ids",
    "tests",
}
MAY_IMPORT = {
    "infra": {"code_digest", "revision_ids"},
    "localaws": set[str](),
    "migrations": {"localaws"},  # see below
    "migrator": {"rds_iam"},
    "querier": {"rds_iam"},
    "rds_iam": set[str](),
    "review": {"code_digest", "revision_ids"},
}
# What is imported where a function runs must be in its zip or in the Lambda runtime.
IN_EVERY_ZIP = {"aws_lambda_powertools", "boto3", "botocore", "psycopg2"}
IN_ZIP = {
    "migrator": IN_EVERY_ZIP | {"alembic", "sqlalchemy"},
    "querier": IN_EVERY_ZIP,
    "rds_iam": IN_EVERY_ZIP,
}


def imports(package: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                yield path, (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_the_packages_of_ours_that_it_may(package: str) -> None:
    found = list(imports(package))
    assert found, f"no imports found in {package}/: the test looks in the wrong place"
    allowed = MAY_IMPORT[package] | {package}
    assert [f"{path}: {name}" for path, name in found if name in OURS - allowed] == []


@pytest.mark.parametrize("package", IN_ZIP)
def test_a_function_imports_only_what_its_zip_or_the_runtime_holds(package: str) -> None:
    allowed = IN_ZIP[package] | OURS | set(sys.stdlib_module_names)
    assert [f"{path}: {name}" for path, name in imports(package) if name not in allowed] == []


def test_only_the_command_line_of_alembic_reaches_the_local_aws() -> None:
    reaching = {path.relative_to(ROOT).as_posix() for path, name in imports("migrations") if name == "localaws"}
    assert reaching == {"migrations/command_line.py"}


def test_revisions_import_alembic_and_sqlalchemy_only() -> None:
    found = list(imports("migrations/versions"))
    assert found
    assert [f"{path}: {name}" for path, name in found if name not in {"alembic", "sqlalchemy"}] == []
