"""The user's code and requirements in the zip of the migrator, and what is missing there."""

import hashlib
import io
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from infra.settings import PROJECT
from rds_alembic.assets.migrator import check_imports, upgrade_asset
from rds_alembic.assets.requirements import combine, read_requirements
from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import AlembicProject
from tests import alembic_projects

OWN = PROJECT / "requirements" / "migrator.txt"
HASH = f"--hash=sha256:{hashlib.sha256().hexdigest()}"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with an application, and with an Alembic project that imports it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "models.py").write_text("import sqlalchemy.orm\n\nfrom shop import types\n")
    (tmp_path / "src" / "shop" / "types.py").touch()
    project = alembic_projects.AlembicProject(tmp_path)
    project.configure(before="from shop.models import Base")
    project.add("r1", "SELECT 1")
    return tmp_path


def problems(folder: Path, *include: Path, requirements: Path | None = None) -> list[str]:
    """Return the lines of the error of a project, or nothing if the project can be deployed."""
    project = AlembicProject.read(folder, include=include)
    try:
        check_imports(project, upgrade_asset(project, requirements), "arm64")
    except RdsAlembicError as error:
        return str(error).splitlines()
    return []


def test_the_example_imports_only_modules_of_its_zip() -> None:
    assert problems(PROJECT) == []


def test_code_that_is_not_included_is_reported_with_the_import_and_the_setting(repository: Path) -> None:
    line = (repository / "scripts" / "env.py").read_text().splitlines().index("from shop.models import Base") + 1
    [problem] = problems(repository)
    assert problem == (
        f"module shop must be in the function's zip (imported in scripts/env.py line {line}): add src/shop to include"
    )


def test_included_code_is_not_missing(repository: Path) -> None:
    assert problems(repository, repository / "src" / "shop") == []


def test_a_library_that_included_code_imports_is_reported_with_the_setting(repository: Path) -> None:
    (repository / "src" / "shop" / "types.py").write_text("import babel\n")
    [problem] = problems(repository, repository / "src" / "shop")
    assert problem == (
        "module babel must be in the function's zip (imported in src/shop/types.py line 1): "
        "add babel to the locked requirements"
    )


def test_greenlet_is_in_the_zip_for_the_async_templates(repository: Path) -> None:
    env = repository / "scripts" / "env.py"
    env.write_text("import greenlet\nfrom sqlalchemy.ext.asyncio import async_engine_from_config\n")
    assert problems(repository) == []


@pytest.mark.parametrize("name", ["alembic", "migrator", "json", "boto3"])
def test_included_code_must_not_have_the_name_of_a_library(repository: Path, name: str) -> None:
    (repository / name).mkdir()
    (repository / name / "__init__.py").touch()
    [line] = problems(repository, repository / "src" / "shop", repository / name)
    assert line.startswith(f"include must not have the name of a library in the function (got '{repository / name}')")


# Requirements


def write(folder: Path, text: str) -> Path:
    file = folder / "requirements.txt"
    file.write_text(text)
    return file


def test_the_users_versions_replace_those_of_the_migrator(tmp_path: Path) -> None:
    text = f"""
SQLAlchemy==2.0.44 \\
    {HASH} \\
    {HASH}
    # via shop
babel==2.17.0 ; python_version > '3' {HASH}
"""
    combined = read_requirements(write(tmp_path, combine(OWN, write(tmp_path, text))))
    assert (combined["sqlalchemy"].version, combined["babel"].version) == ("2.0.44", "2.17.0")
    assert combined["alembic"] == read_requirements(OWN)["alembic"]


@pytest.mark.parametrize("name", ["boto3", "psycopg2", "psycopg2_binary", "AWS-Lambda-Powertools", "urllib3"])
def test_packages_of_the_runtime_and_of_the_migrator_are_left_out(tmp_path: Path, name: str) -> None:
    assert "==0.0.1" not in combine(OWN, write(tmp_path, f"{name}==0.0.1 {HASH}\n"))


@pytest.mark.parametrize(
    ("requirement", "range_"),
    [
        ("sqlalchemy==1.4.54", "at least 2.0.31 and below 2.2"),
        ("sqlalchemy==2.0.30", "at least 2.0.31 and below 2.2"),
        ("SQLAlchemy==2.2.0b1", "at least 2.0.31 and below 2.2"),
        ("alembic==1.12.1", "at least 1.13.0 and below 2"),
        ("alembic==2.0", "at least 1.13.0 and below 2"),
    ],
)
def test_an_unsupported_version_is_rejected_with_the_supported_range(
    tmp_path: Path, requirement: str, range_: str
) -> None:
    file = write(tmp_path, f"{requirement} {HASH}\n")
    with pytest.raises(RdsAlembicError) as error:
        combine(OWN, file)
    name, _, version = requirement.partition("==")
    assert str(error.value).startswith(f"{name.lower()} in requirements must be {range_} (got {version} in {file})")


@pytest.mark.parametrize(
    "line", ["sqlalchemy==2.0.44", "sqlalchemy>=2", "-e .", "./shop", f"shop @ file:///shop {HASH}"]
)
def test_a_requirement_without_a_version_or_a_hash_is_rejected(tmp_path: Path, line: str) -> None:
    with pytest.raises(RdsAlembicError, match="requirements must be name==version with --hash"):
        read_requirements(write(tmp_path, f"{line}\n"))


def test_comments_and_addresses_of_indexes_are_skipped(tmp_path: Path) -> None:
    text = f"# by uv\n--index-url https://example.org/simple\n\nbabel[x]==2.17.0 {HASH}  # via shop\n"
    assert list(read_requirements(write(tmp_path, text))) == ["babel"]


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RdsAlembicError, match="requirements must be a file of locked requirements"):
        read_requirements(tmp_path / "nowhere.txt")


# The templates of `alembic init`


def init(folder: Path, template: str, *, package: bool = False) -> Path:
    """Run `alembic init alembic` in a folder, and add a revision."""
    folder.mkdir()
    config = Config(str(folder / "alembic.ini"), toml_file=folder / "pyproject.toml", stdout=io.StringIO())
    command.init(config, str(folder / "alembic"), template, package=package)
    command.revision(Config(config.config_file_name, toml_file=config.toml_file_name, stdout=io.StringIO()), "create")
    return folder


@pytest.mark.parametrize("template", ["generic", "async", "pyproject", "pyproject_async"])
@pytest.mark.parametrize("package", [False, True], ids=["folder", "package"])
def test_a_project_of_a_template_has_all_its_imports_in_the_zip(tmp_path: Path, template: str, package: bool) -> None:
    folder = init(tmp_path / "project", template, package=package)
    assert len(AlembicProject.read(folder).revisions) == 1
    assert problems(folder) == []


def test_a_project_of_the_template_for_several_databases_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RdsAlembicError, match="must not have `databases`"):
        AlembicProject.read(init(tmp_path / "project", "multidb"))
