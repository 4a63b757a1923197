"""The zips of the functions: the same bytes on every machine, with the needed files only."""

import os
import py_compile
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import SimpleNamespace

import pytest
from aws_cdk import Stage

from infra.settings import PROJECT
from infra.stack import PrivateDatabaseStack
from rds_alembic import FunctionAsset, RdsAlembicError, root_certificates
from rds_alembic.assets import interpreter
from rds_alembic.assets.function_asset import CACHED_ZIPS, Zip, build_asset
from tests.infra.template import Synthesized

# One small wheel of the project's lock file, which is in uv's cache after `make setup`.
REAL_LOCK = (PROJECT / "requirements" / "migrator.txt").read_text()
LOCK = "".join(re.findall(r"^typing-extensions==[^#]+", REAL_LOCK, re.MULTILINE))


def create_asset(folder: Path) -> FunctionAsset:
    """Create a package, a lock file with one wheel, and a file, and return the asset with them."""
    (folder / "greeter").mkdir(parents=True)
    (folder / "greeter" / "__init__.py").touch()
    (folder / "greeter" / "handler.py").write_text("import typing_extensions\n\nCHOICES = {'a', 'b', 'c', 'd'}\n")
    (folder / "requirements").mkdir()
    (folder / "requirements" / "one.txt").write_text(LOCK)
    (folder / "own.pem").write_text("roots")
    return FunctionAsset(
        name="greeter",
        files={"greeter": folder / "greeter", "rds-ca.pem": folder / "own.pem"},
        requirements=folder / "requirements" / "one.txt",
        cache=folder / ".build",
    )


def build(asset: FunctionAsset) -> Zip:
    return build_asset(asset, "arm64")


def test_two_builds_of_the_same_files_at_two_paths_have_the_same_bytes(tmp_path: Path) -> None:
    one = build(create_asset(tmp_path / "one"))
    other = build(create_asset(tmp_path / "another" / "path"))
    assert one.digest == other.digest
    assert one.path.read_bytes() == other.path.read_bytes()


def test_a_zip_contains_no_path_of_the_build_machine(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(create_asset(tmp_path / "one")).path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    byte_code = contents["greeter/__pycache__/handler.cpython-313.pyc"]
    assert b"/var/task/greeter/handler.py" in byte_code
    assert not [name for name, content in contents.items() if str(tmp_path).encode() in content]


def test_every_source_has_byte_code_that_python_does_not_compare_with_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(create_asset(tmp_path)).path) as archive:
        names = set(archive.namelist())
        for name in names:
            folder, _, file = name.rpartition("/")
            if not file.endswith(".py"):
                continue
            compiled = "/".join(filter(None, (folder, "__pycache__", f"{file[:-3]}.cpython-313.pyc")))
            assert compiled in names
            unchecked_hash = (1).to_bytes(4, "little")
            assert archive.read(compiled)[4:8] == unchecked_hash


def test_dates_and_modes_in_a_zip_are_fixed_and_its_contents_are_compressed(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(create_asset(tmp_path)).path) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_a_zip_has_no_records_of_the_installer(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(create_asset(tmp_path)).path) as archive:
        files = {name.rpartition("/")[2] for name in archive.namelist()}
    assert "METADATA" in files
    assert not files & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".lock"}


def test_a_second_build_returns_the_cached_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = create_asset(tmp_path)
    first = build(asset)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("the zip was built again"))
    assert build(asset) == first


def test_byte_code_in_the_checkout_does_not_change_the_zip(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    first = build(asset)
    py_compile.compile(str(tmp_path / "greeter" / "handler.py"))
    assert build(asset) == first


@pytest.mark.parametrize("changed", ["greeter/handler.py", "own.pem"])
def test_a_change_of_a_file_changes_the_digest_of_the_zip(tmp_path: Path, changed: str) -> None:
    asset = create_asset(tmp_path)
    first = build(asset)
    with (tmp_path / changed).open("a") as file:
        file.write("# changed\n")
    assert build(asset).digest != first.digest


def test_two_builds_at_the_same_time_have_the_same_result(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(build, [asset, asset])
    assert one == other
    assert zipfile.ZipFile(one.path).testzip() is None
    assert not list((tmp_path / ".build").glob(".building-*"))


def test_the_zips_that_were_used_longest_ago_are_deleted(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    for version in range(CACHED_ZIPS + 2):
        (tmp_path / "own.pem").write_text(f"roots {version}")
        last = build(asset)
    zips = list((tmp_path / ".build").glob(f"{asset.name}-*.zip"))
    assert len(zips) == CACHED_ZIPS
    assert last.path in zips


def test_a_zip_in_use_is_kept_however_long_ago_it_was_built(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    used = build(asset)
    for version in range(CACHED_ZIPS - 1):
        (tmp_path / "own.pem").write_text(f"roots {version}")
        build(asset)
    os.utime(used.path, (0, 0))
    (tmp_path / "own.pem").write_text("roots")
    assert build(asset) == used
    (tmp_path / "own.pem").write_text("newest roots")
    build(asset)
    assert used.path.exists()


def test_the_import_of_a_dependency_that_is_not_in_the_lock_file_fails(tmp_path: Path) -> None:
    asset = create_asset(tmp_path / "project")
    (tmp_path / "project" / "requirements" / "one.txt").write_text("")
    shutil.unpack_archive(build(asset).path, tmp_path / "task")
    process = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path / 'task')!r}); import greeter.handler",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'typing_extensions'" in process.stderr


def test_a_wheel_with_another_hash_is_rejected(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    (tmp_path / "requirements" / "one.txt").write_text(re.sub(r"sha256:.{6}", "sha256:000000", LOCK))
    with pytest.raises(RdsAlembicError, match=r"uv cannot install one\.txt for aarch64-manylinux_2_28"):
        build(asset)


def test_a_missing_package_is_rejected(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    shutil.rmtree(tmp_path / "greeter")
    with pytest.raises(RdsAlembicError, match=r"files of the zip 'greeter' must exist \(missing: .*/greeter\)"):
        build(asset)


def test_a_source_that_does_not_compile_is_rejected(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    (tmp_path / "greeter" / "handler.py").write_text("def broken(:\n")
    with pytest.raises(RdsAlembicError, match="must compile"):
        build(asset)


def test_another_architecture_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RdsAlembicError, match=r"architecture must be arm64 or x86_64 \(got 'mips'\)"):
        build_asset(create_asset(tmp_path), "mips")


@pytest.fixture
def synth_on_another_python(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace the version of the running Python, for the module that looks for Python 3.13 only."""
    monkeypatch.setattr(interpreter, "sys", SimpleNamespace(version_info=(3, 14), implementation=sys.implementation))
    interpreter.find_python.cache_clear()
    yield
    interpreter.find_python.cache_clear()


@pytest.mark.usefixtures("synth_on_another_python")
def test_the_byte_code_is_of_python_3_13_if_synth_runs_on_another_version(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(create_asset(tmp_path)).path) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".pyc")]
        assert {name.split(".")[-2] for name in compiled} == {"cpython-313"}
        assert {archive.read(name)[:4] for name in compiled} == {MAGIC_NUMBER}  # the tests run on Python 3.13


@pytest.mark.usefixtures("synth_on_another_python")
def test_a_missing_python_3_13_is_one_error_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(RdsAlembicError, match=r"Python 3\.13 must be on the PATH.*synth runs on 3\.14.*: install"):
        build(create_asset(tmp_path))


def test_a_cache_folder_that_cannot_be_written_is_rejected(tmp_path: Path) -> None:
    asset = create_asset(tmp_path)
    (tmp_path / ".build").touch()  # a file in the place of the folder
    with pytest.raises(RdsAlembicError, match=r"the cache folder must be writable \(got .*/\.build"):
        build(asset)


@pytest.fixture(params=["migrator", "roles", "querier"])
def stack_zip(
    request: pytest.FixtureRequest, dev_stack: PrivateDatabaseStack, dev: Synthesized
) -> tuple[str, dict[str, bytes]]:
    """Return the name of a zip of the stack and its contents."""
    functions = {"migrator": "UpgradeMigrator", "roles": "RolesHandler", "querier": "QuerierHandler"}
    stage = Stage.of(dev_stack)
    assert stage
    key = dev.function(functions[request.param])["Code"]["S3Key"]
    with zipfile.ZipFile(Path(stage.outdir) / f"asset.{key}") as archive:
        return request.param, {name: archive.read(name) for name in archive.namelist()}


def test_a_zip_of_the_stack_has_the_packages_that_the_runtime_does_not_have(
    stack_zip: tuple[str, dict[str, bytes]],
) -> None:
    function, contents = stack_zip
    tops = {name.partition("/")[0] for name in contents}
    packages = {"querier", "rds_iam"} if function == "querier" else {"migrator", "rds_iam"}
    assert packages | {"rds-ca.pem", "psycopg2", "aws_lambda_powertools"} <= tops
    assert not tops & {"boto3", "botocore", "urllib3", "jmespath", "s3transfer", "infra", "localaws", "tests"}
    of_package = {name.split("/")[1] for name in contents if name.startswith("rds_alembic/")}
    assert of_package == ({"__init__.py", "__pycache__", "autogenerate"} if function == "migrator" else set())
    assert ("alembic" in tops) == (function == "migrator")
    project = {"project/alembic.ini", "project/migrations/env.py", "project/.rds-alembic.json"}
    assert project & set(contents) == (project if function == "migrator" else set())


def test_a_zip_of_the_stack_is_for_the_processor_and_the_region_of_its_function(
    stack_zip: tuple[str, dict[str, bytes]],
) -> None:
    _, contents = stack_zip
    assert any("aarch64-linux-gnu.so" in name for name in contents)
    assert not any("x86_64" in name for name in contents)
    assert contents["rds-ca.pem"] == root_certificates("eu-central-1").read_bytes()


def test_a_zip_of_the_stack_contains_no_path_of_the_build_machine(stack_zip: tuple[str, dict[str, bytes]]) -> None:
    _, contents = stack_zip
    assert not [name for name, content in contents.items() if str(PROJECT).encode() in content]
