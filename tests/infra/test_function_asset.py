"""Zips that are the same wherever they are built, and hold what the function needs and nothing of the build machine."""

import py_compile
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.settings import PROJECT, Architecture
from rds_alembic.assets import function_asset
from rds_alembic.assets.function_asset import Bundle, Zip
from rds_alembic.assets.rds_ca import roots_of
from rds_alembic.errors import RdsAlembicError
from tests.infra.template import Synthesized

# One small wheel, as the project's own lock has it: whoever ran the set-up has it in uv's cache.
REAL_LOCK = (PROJECT / "requirements" / "migrator.txt").read_text()
LOCK = "".join(re.findall(r"^typing-extensions==[^#]+", REAL_LOCK, re.MULTILINE))


def checkout(folder: Path) -> Bundle:
    """Make a small project: a package of ours, a lock of one wheel, and a file that goes along."""
    (folder / "greeter").mkdir(parents=True)
    (folder / "greeter" / "__init__.py").touch()
    (folder / "greeter" / "handler.py").write_text("import typing_extensions\n\nCHOICES = {'a', 'b', 'c', 'd'}\n")
    (folder / "requirements").mkdir()
    (folder / "requirements" / "one.txt").write_text(LOCK)
    (folder / "own.pem").write_text("roots")
    return Bundle(
        name="greeter",
        packages=("greeter",),
        requirements="one.txt",
        files={"rds-ca.pem": folder / "own.pem"},
        project=folder,
    )


def build(bundle: Bundle) -> Zip:
    return function_asset.build(bundle, Architecture.ARM64)


def test_two_builds_of_the_same_tree_at_two_paths_are_the_same_to_the_byte(tmp_path: Path) -> None:
    one = build(checkout(tmp_path / "one"))
    other = build(checkout(tmp_path / "somewhere" / "else"))
    assert one.digest == other.digest
    assert one.path.read_bytes() == other.path.read_bytes()


def test_a_zip_names_no_path_of_the_machine_that_built_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(checkout(tmp_path / "one")).path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    ours = contents["greeter/__pycache__/handler.cpython-313.pyc"]
    assert b"/var/task/greeter/handler.py" in ours
    assert not [name for name, content in contents.items() if str(tmp_path).encode() in content]


def test_every_source_has_byte_code_that_is_never_compared_with_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(checkout(tmp_path)).path) as archive:
        names = set(archive.namelist())
        for name in names:
            folder, _, file = name.rpartition("/")
            if not file.endswith(".py"):
                continue
            compiled = "/".join(filter(None, (folder, "__pycache__", f"{file[:-3]}.cpython-313.pyc")))
            assert compiled in names
            unchecked_hash = (1).to_bytes(4, "little")
            assert archive.read(compiled)[4:8] == unchecked_hash


def test_dates_and_modes_are_fixed(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(checkout(tmp_path)).path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_the_installers_notes_stay_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(checkout(tmp_path)).path) as archive:
        files = {name.rpartition("/")[2] for name in archive.namelist()}
    assert "METADATA" in files
    assert not files & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".lock"}


def test_a_second_build_finds_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = checkout(tmp_path)
    first = build(bundle)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was built"))
    assert build(bundle) == first


def test_byte_code_lying_about_in_the_checkout_changes_nothing(tmp_path: Path) -> None:
    bundle = checkout(tmp_path)
    first = build(bundle)
    py_compile.compile(str(tmp_path / "greeter" / "handler.py"))
    assert build(bundle) == first


@pytest.mark.parametrize("changed", ["greeter/handler.py", "own.pem"])
def test_a_change_of_what_is_in_it_is_another_zip(tmp_path: Path, changed: str) -> None:
    bundle = checkout(tmp_path)
    first = build(bundle)
    with (tmp_path / changed).open("a") as file:
        file.write("# changed\n")
    assert build(bundle).digest != first.digest


def test_two_builds_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    bundle = checkout(tmp_path)
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(build, [bundle, bundle])
    assert one == other
    assert zipfile.ZipFile(one.path).testzip() is None
    assert not list((tmp_path / ".build").glob(".making-*"))


def test_zips_that_nothing_uses_any_more_are_forgotten(tmp_path: Path) -> None:
    bundle = checkout(tmp_path)
    for version in range(function_asset.ZIPS_KEPT + 2):
        (tmp_path / "own.pem").write_text(f"roots {version}")
        last = build(bundle)
    kept = list((tmp_path / ".build").glob(f"{bundle.name}-*.zip"))
    assert len(kept) == function_asset.ZIPS_KEPT
    assert last.path in kept


def test_a_dependency_that_the_lock_lacks_is_not_in_the_zip_and_its_import_fails(tmp_path: Path) -> None:
    bundle = checkout(tmp_path / "project")
    (tmp_path / "project" / "requirements" / "one.txt").write_text("")
    shutil.unpack_archive(build(bundle).path, tmp_path / "task")
    done = subprocess.run(
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
    assert "No module named 'typing_extensions'" in done.stderr


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    bundle = checkout(tmp_path)
    (tmp_path / "requirements" / "one.txt").write_text(re.sub(r"sha256:.{6}", "sha256:000000", LOCK))
    with pytest.raises(RdsAlembicError, match=r"uv could not install one\.txt for aarch64-manylinux_2_28"):
        build(bundle)


def test_a_package_that_is_not_there_is_refused(tmp_path: Path) -> None:
    bundle = checkout(tmp_path)
    shutil.rmtree(tmp_path / "greeter")
    with pytest.raises(RdsAlembicError, match=r"the zip 'greeter' lacks .*/greeter: no such file or folder"):
        build(bundle)


def test_a_source_that_does_not_compile_is_refused(tmp_path: Path) -> None:
    bundle = checkout(tmp_path)
    (tmp_path / "greeter" / "handler.py").write_text("def broken(:\n")
    with pytest.raises(RdsAlembicError, match="do not compile"):
        build(bundle)


def test_another_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0, "final", 0))
    with pytest.raises(RdsAlembicError, match=r"python 3\.14 writes byte code that the functions cannot read"):
        build(checkout(tmp_path))


@pytest.fixture(params=["migrator", "roles", "querier"])
def real_zip(request: pytest.FixtureRequest, dev: Synthesized) -> tuple[str, dict[str, bytes]]:
    """Name a zip of the real stack and read it: synthesis has just used it, so it is the newest."""
    zips = (PROJECT / ".build").glob(f"{request.param}-arm64-*.zip")
    with zipfile.ZipFile(max(zips, key=lambda path: path.stat().st_mtime)) as archive:
        return request.param, {name: archive.read(name) for name in archive.namelist()}


def test_the_real_zips_hold_what_their_functions_need_and_the_runtime_does_not_bring(
    real_zip: tuple[str, dict[str, bytes]],
) -> None:
    function, contents = real_zip
    tops = {name.partition("/")[0] for name in contents}
    packages = {"querier", "rds_iam"} if function == "querier" else {"migrator", "rds_iam"}
    assert packages | {"rds-ca.pem", "psycopg2", "aws_lambda_powertools"} <= tops
    assert not tops & {"boto3", "botocore", "urllib3", "jmespath", "s3transfer", "infra", "localaws", "tests"}
    assert ("alembic" in tops) == (function == "migrator")
    assert ({"alembic.ini", "migrations/env.py"} <= set(contents)) == (function == "migrator")


def test_the_real_zips_are_for_the_functions_processor_and_region(real_zip: tuple[str, dict[str, bytes]]) -> None:
    _, contents = real_zip
    assert any("aarch64-linux-gnu.so" in name for name in contents)
    assert not any("x86_64" in name for name in contents)
    assert contents["rds-ca.pem"] == roots_of("eu-central-1").read_bytes()


def test_the_real_zips_name_no_path_of_this_machine(real_zip: tuple[str, dict[str, bytes]]) -> None:
    _, contents = real_zip
    assert not [name for name, content in contents.items() if str(PROJECT).encode() in content]
