"""The package as a user has it: the wheel in a fresh virtual environment, and an own app in another folder."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uv

from localaws.aws import LocalAws
from localaws.cdk import Cdk, synth_environment
from localaws.certificates import CertificateAuthority
from localaws.constants import CHECKOUT, REGION, STATE
from rds_alembic.assets import BUILD_FOLDER
from rds_alembic.revisions.alembic_project import MANIFEST, ZIP_FOLDER, AlembicProject
from tests.connections import connect_verified

APP = Path(__file__).parent / "apps" / "shop"
KINDS = ("instance", "serverless-cluster", "provisioned-cluster", "restored-instance", "imported-instance")


def other_python() -> str:
    """Return a Python 3.12 or 3.14 of pyenv or on the PATH, or else the running Python."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = filter(None, map(shutil.which, ("python3.12", "python3.14")))
    for path in [*map(str, sorted(versions.glob("3.1[24].*/bin/python"))), *on_path]:
        # pyenv puts commands of all its versions on the PATH. Those that are not chosen fail.
        if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return sys.executable


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the app of a user, and with the wheel in a virtual environment."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(APP, folder, dirs_exist_ok=True)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    run_uv("venv", "--quiet", "--python", other_python(), str(folder / ".venv"))
    versions = ["--constraint", str(CHECKOUT / "requirements" / "dev.txt")]
    run_uv("pip", "install", "--quiet", "--python", str(folder / ".venv"), *versions, str(wheel))
    return folder


def run_uv(*arguments: str) -> str:
    command = [uv.find_uv_bin(), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="module")
def assembly(user_folder: Path) -> Path:
    """Synthesize the app. The wheels of its zips are those of the checkout, whose names in the cache are the same."""
    cache = user_folder / "cache"
    cache.mkdir()
    (cache / "rds-alembic").symlink_to(BUILD_FOLDER)
    variables = {
        "PATH": os.pathsep.join([str(Path(sys.base_prefix) / "bin"), os.environ["PATH"]]),  # for a Python 3.13
        "XDG_CACHE_HOME": str(cache),
        "UV_CACHE_DIR": run_uv("cache", "dir"),
        "SHOP_RDS_CA": str(CertificateAuthority(STATE / "ca").ca_path),
    }
    command = [str(user_folder / ".venv" / "bin" / "python"), "app.py", "cdk.out"]
    subprocess.run(command, cwd=user_folder, env=synth_environment() | variables, check=True)
    return user_folder / "cdk.out"


def resources(assembly: Path, kind: str) -> dict[str, dict[str, Any]]:
    template: dict[str, dict[str, dict[str, Any]]] = json.loads((assembly / f"shop-{kind}.template.json").read_text())
    return template["Resources"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_app_with_the_wheel_has_a_stack_for_each_kind_of_database(assembly: Path, kind: str) -> None:
    types = [resource["Type"] for resource in resources(assembly, kind).values()]
    assert (types.count("Custom::DatabaseRoles"), types.count("Custom::AlembicUpgrade")) == (1, 1)


def test_every_version_of_python_writes_the_same_digests_of_the_revisions(assembly: Path) -> None:
    """If a digest depended on the version, another machine of the team would seem to have edited the revisions."""
    functions = resources(assembly, "instance").values()
    [code] = {
        str(one["Properties"]["Code"]["S3Key"])
        for one in functions
        if one["Properties"].get("Handler", "").startswith("migrator.upgrade_handler")
    }
    with zipfile.ZipFile(assembly / f"asset.{code}") as archive:
        manifest = archive.read(f"{ZIP_FOLDER}/{MANIFEST}").decode()
    assert manifest == AlembicProject.read(APP / "backend").manifest()


def test_an_app_with_the_wheel_is_deployed(aws: LocalAws, assembly: Path) -> None:
    cdk = Cdk(aws)
    cdk.bootstrap()
    assert cdk.deploy(assembly, "shop-instance") == {"Revision": "001"}
    [database] = [database for database in aws.databases() if database.name == "shop"]
    token = aws.client("rds").generate_db_auth_token(database.host, database.port, "shop", REGION)
    login = connect_verified(
        database.host, database.port, database="shop", user="shop", password=token, ca_path=aws.ca_path
    )
    with closing(login) as session, session.cursor() as cursor:
        cursor.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'")
        assert cursor.fetchall() == [("app_owner",)]
        cursor.execute("SELECT count(*) FROM orders")
        assert cursor.fetchall() == [(0,)]
