"""The wheel: its contents, its console command, and the folders that it uses."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the contents of the wheel. The libraries are those of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def uv_cache() -> str:
    command = [uv.find_uv_bin(), "cache", "dir"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def run(installed: Path, folder: Path, program: str) -> str:
    """Run a program with the wheel and the libraries of the checkout, without the checkout itself."""
    path = os.pathsep.join([str(installed), sysconfig.get_path("purelib")])
    command = [sys.executable, "-S", "-P", "-B", "-c", program]
    caches = {"XDG_CACHE_HOME": str(folder / "cache"), "UV_CACHE_DIR": uv_cache()}
    environment = {**os.environ, **caches, "PYTHONPATH": path}
    return subprocess.run(command, cwd=folder, env=environment, text=True, check=True, stdout=subprocess.PIPE).stdout


def test_the_wheel_hides_no_package_with_the_name_of_a_function(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"localaws", "rds_alembic"}


def test_the_wheel_provides_the_command(wheel: Path, installed: Path) -> None:
    [entry_points] = installed.glob("*.dist-info/entry_points.txt")
    assert "rds-alembic = rds_alembic.cli:main" in entry_points.read_text()


def test_zips_are_built_from_the_wheel_into_the_cache_folder_of_the_user(installed: Path, tmp_path: Path) -> None:
    before = sorted(installed.rglob("*"))
    program = """
from rds_alembic.assets.function_asset import build_asset
from rds_alembic.assets.migrator import roles_asset
print(build_asset(roles_asset(), "arm64").path)
"""
    path = Path(run(installed, tmp_path, program).strip())
    assert path.parent == tmp_path / "cache" / "rds-alembic"
    with zipfile.ZipFile(path) as archive:
        assert {"migrator/roles_handler.py", "rds_iam/token.py", "psycopg2/__init__.py"} <= set(archive.namelist())
    assert sorted(installed.rglob("*")) == before


def test_autogenerate_is_imported_without_the_cdk_and_without_libraries_of_the_command(
    installed: Path, tmp_path: Path
) -> None:
    program = """
import sys
import rds_alembic.autogenerate
print(sorted({"aws_cdk", "boto3", "click", "platformdirs", "uv"} & sys.modules.keys()))
"""
    assert run(installed, tmp_path, program).strip() == "[]"
