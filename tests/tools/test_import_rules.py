"""The import rules between the packages of this project."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = {
    "app",
    "infra",
    "localaws",
    "migrations",
    "migrator",
    "querier",
    "rds_alembic",
    "rds_iam",
    "review",
    "tests",
}
SHARED_BY_LOCALAWS = {"localaws.certificates", "localaws.constants", "localaws.errors"}
# The modules of this project that a package may import besides its own.
ALLOWED = {
    "infra": {"rds_alembic"},
    "localaws": {"rds_alembic.assets", "rds_alembic.errors"},
    "localaws.emulator": SHARED_BY_LOCALAWS | {"localaws.lambda_runtime", "localaws.rds"},
    "localaws.lambda_runtime": SHARED_BY_LOCALAWS | {"rds_alembic.assets", "rds_alembic.errors"},
    "localaws.postgres": SHARED_BY_LOCALAWS | {"rds_alembic.assets", "rds_alembic.errors"},
    "localaws.rds": SHARED_BY_LOCALAWS | {"localaws.postgres"},
    "localaws.rehearsal": SHARED_BY_LOCALAWS | {"localaws.lambda_runtime", "localaws.postgres", "localaws.rds"},
    "migrations": {"localaws.errors", "localaws.postgres", "rds_alembic.autogenerate"},
    "migrator": {"rds_iam"},
    "querier": {"rds_iam"},
    "rds_alembic": SHARED_BY_LOCALAWS | {"localaws.rehearsal"},
    "rds_alembic.autogenerate": set[str](),
    "rds_iam": set[str](),
    "review": {"localaws.errors", "localaws.postgres", "rds_alembic.revisions"},
}
# A function finds these in its zip or in the Lambda runtime.
IN_EVERY_FUNCTION = {"aws_lambda_powertools", "boto3", "botocore", "psycopg2"}
IN_FUNCTION = {
    "rds_alembic.autogenerate": {"alembic", "sqlalchemy"},
    "migrator": IN_EVERY_FUNCTION | {"alembic", "sqlalchemy"},
    "querier": IN_EVERY_FUNCTION,
    "rds_iam": IN_EVERY_FUNCTION,
}


def modules_imported(package: str) -> Iterator[tuple[str, str]]:
    """Return pairs of a file and the full name of a module, or of a name in a module, that the file imports."""
    paths = sorted((ROOT / package.replace(".", "/")).rglob("*.py"))
    assert paths, f"no Python files in {package}"
    for path in paths:
        file = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}: relative import"
                yield from ((file, f"{node.module}.{alias.name}") for alias in node.names)


def is_in(module: str, packages: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def violations(package: str, forbidden: Iterable[str], *, allowed: Iterable[str] = ()) -> list[str]:
    """List the imports of forbidden packages that are not in an allowed one."""
    return [
        f"{file} imports {module}"
        for file, module in modules_imported(package)
        if is_in(module, forbidden) and not is_in(module, allowed)
    ]


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_the_allowed_packages_of_this_project(package: str) -> None:
    allowed = {package} | ALLOWED[package]
    assert violations(package, PROJECT, allowed=allowed) == []


def test_no_program_imports_the_tests() -> None:
    assert [line for package in PROJECT - {"app", "tests"} for line in violations(package, {"tests"})] == []


@pytest.mark.parametrize("package", IN_FUNCTION)
def test_a_function_imports_only_modules_of_its_zip_or_of_the_lambda_runtime(package: str) -> None:
    allowed = IN_FUNCTION[package] | PROJECT | set(sys.stdlib_module_names)
    assert [f"{file}: {module}" for file, module in modules_imported(package) if not is_in(module, allowed)] == []


def public_names() -> set[str]:
    """Return the names that `rds_alembic` exports for type checkers."""
    tree = ast.parse((ROOT / "rds_alembic" / "__init__.py").read_bytes())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {alias.asname for node in imports for alias in node.names if alias.asname}


def test_the_example_stack_imports_only_public_names_of_the_package() -> None:
    names = {f"rds_alembic.{name}" for name in public_names()}
    assert violations("infra", {"rds_alembic"}, allowed=names) == []


def test_every_public_name_of_the_package_can_be_imported() -> None:
    assert public_names()
    for name in public_names():
        assert getattr(importlib.import_module("rds_alembic"), name)


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'rds_alembic' has no attribute 'Unknown'"):
        _ = importlib.import_module("rds_alembic").Unknown


def test_the_package_is_imported_without_the_cdk() -> None:
    program = "import rds_alembic, sys; assert not {'aws_cdk', 'alembic', 'boto3'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_only_the_constructs_of_the_package_import_the_cdk() -> None:
    files = {file for file, module in modules_imported("rds_alembic") if is_in(module, {"aws_cdk", "constructs"})}
    assert files
    assert [file for file in files if not file.startswith("rds_alembic/constructs/")] == []


def test_constructs_never_call_aws() -> None:
    assert violations("rds_alembic.constructs", {"boto3", "botocore"}) == []


def test_two_modules_of_the_emulator_import_ministack_and_no_other_module_does() -> None:
    files = {file for file, module in modules_imported("localaws") if is_in(module, {"ministack"})}
    assert files == {f"localaws/emulator/{name}.py" for name in ("ministack", "ministack_runtime")}


def test_only_the_command_line_of_alembic_imports_the_local_aws() -> None:
    files = {file for file, module in modules_imported("migrations") if is_in(module, {"localaws"})}
    assert files == {"migrations/command_line.py"}


def test_only_the_command_rehearse_of_the_package_imports_the_local_aws() -> None:
    files = {file for file, module in modules_imported("rds_alembic") if is_in(module, {"localaws"})}
    assert files == {"rds_alembic/cli/rehearse.py"}


def test_revisions_import_alembic_and_sqlalchemy_only() -> None:
    allowed = {"alembic", "sqlalchemy"}
    assert [module for _, module in modules_imported("migrations.versions") if not is_in(module, allowed)] == []
