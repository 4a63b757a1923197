"""The start of a plan: a revision, a git ref, or the last release."""

import os
import subprocess
from pathlib import Path

import pytest

from review.errors import ReviewError
from review.revision_scripts import RevisionScripts
from review.start import Start, find_baseline, find_start
from tests.alembic_projects import AlembicProject


class Repository:
    """A git repository with one Alembic project."""

    def __init__(self, folder: Path, below: str = "") -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.project = AlembicProject(folder / below)
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
        environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", "-C", self.folder, *identity, *arguments], check=True, capture_output=True, env=environ)

    def commit(self, *revisions: str, tag: str | None = None) -> None:
        """Commit new revisions, and what else changed."""
        for revision in revisions:
            self.project.add(revision, "SELECT 1")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "more")
        if tag:
            self.git("tag", tag)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def start(project: AlembicProject, *, revision: str | None = None, since: str | None = None) -> Start:
    return find_start(RevisionScripts.read(project.ini), revision=revision, since=since)


def test_without_options_a_plan_starts_at_the_last_tag(repository: Repository) -> None:
    repository.commit("r1", tag="v1")
    repository.commit("r2", tag="v2")
    repository.commit("r3")
    assert start(repository.project) == Start(("r1", "r2"), "the revisions at v2, the last tag")


def test_a_tag_on_another_branch_is_not_a_release(repository: Repository) -> None:
    repository.commit("r1", tag="v1")
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit(tag="v2")
    repository.git("checkout", "--quiet", "main")
    repository.commit("r2")
    assert start(repository.project).reason == "the revisions at v1, the last tag"


def test_without_a_tag_a_plan_starts_with_an_empty_database(repository: Repository) -> None:
    repository.commit("r1")
    assert start(repository.project).revisions == ()
    assert start(repository.project).reason.endswith(
        "no release is known, because the current commit has no tag among its ancestors"
    )


def test_outside_a_repository_a_plan_starts_with_an_empty_database(tmp_path: Path) -> None:
    result = start(AlembicProject(tmp_path))
    assert result.revisions == ()
    assert "not a git repository" in result.reason


def test_in_a_shallow_clone_the_reason_says_that_tags_may_be_missing(repository: Repository, tmp_path: Path) -> None:
    repository.commit("r1", tag="v1")
    repository.commit("r2")
    repository.git("clone", "--quiet", "--depth", "1", repository.folder.as_uri(), str(tmp_path / "clone"))
    why = find_start(RevisionScripts.read(tmp_path / "clone/alembic.ini"), revision=None, since=None).reason
    assert "the clone is shallow" in why


@pytest.mark.parametrize("ref", ["v1", "main~1", "release"])
def test_a_plan_since_a_git_ref_starts_after_the_revisions_of_its_commit(repository: Repository, ref: str) -> None:
    repository.commit("r1", tag="v1")
    repository.git("branch", "release")
    repository.commit("r2")
    assert start(repository.project, since=ref) == Start(("r1",), f"the revisions at {ref}")


def test_a_plan_starts_after_all_branches_of_a_commit(repository: Repository) -> None:
    repository.commit("r1")
    repository.project.add("r2", "SELECT 1", down="r1")
    repository.project.add("r3", "SELECT 1", down="r1")
    repository.commit(tag="v1")
    assert start(repository.project).revisions == ("r1", "r2", "r3")


def test_reading_a_commit_does_not_change_the_work_tree(repository: Repository) -> None:
    repository.commit("r1", tag="v1")
    repository.project.add("r2", "SELECT 1")
    before = {path: path.read_bytes() for path in repository.project.folder.rglob("*.py")}
    assert start(repository.project).revisions == ("r1",)
    assert {path: path.read_bytes() for path in repository.project.folder.rglob("*.py")} == before


def test_a_project_may_be_in_a_subfolder_of_its_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository", below="services/the database")
    repository.commit("r1", tag="v1")
    repository.commit("r2")
    assert start(repository.project).revisions == ("r1",)


def test_a_project_may_have_moved(repository: Repository) -> None:
    repository.commit("r1", tag="v1")
    moved = repository.folder / "database"
    moved.mkdir()
    repository.git("mv", "alembic.ini", "scripts", "database")
    repository.git("commit", "--quiet", "--message", "move")
    history = RevisionScripts.read(moved / "alembic.ini")
    assert find_start(history, revision=None, since=None) == Start(("r1",), "the revisions at v1, the last tag")


def test_revisions_may_be_in_several_folders(repository: Repository) -> None:
    ini = repository.project.ini
    more = repository.folder / "more revisions"
    more.mkdir()
    folders = "version_locations =\n    %(here)s/scripts/versions\n    %(here)s/more revisions\n"
    ini.write_text(ini.read_text().replace("path_separator = os\n", f"path_separator = newline\n{folders}"))
    repository.commit("r1", "r2")
    repository.project.path("r2").rename(more / "r2.py")
    repository.commit(tag="v1")
    repository.commit("r3")
    assert start(repository.project).revisions == ("r1", "r2")


def test_scripts_in_a_package_are_read_from_the_commit(repository: Repository) -> None:
    ini = repository.project.ini
    ini.write_text(
        ini.read_text()
        .replace("%(here)s/scripts", "scripts:.")
        .replace("[alembic]", "[alembic]\nprepend_sys_path = %(here)s")
    )
    (repository.folder / "scripts/__init__.py").touch()
    repository.commit("r1", tag="v1")
    repository.commit("r2")
    assert start(repository.project).revisions == ("r1",)


def test_a_revision_that_was_merged_from_another_branch_is_in_the_plan(repository: Repository) -> None:
    repository.commit("r1")
    repository.commit("r3", tag="v1")
    repository.project.add("r2", "SELECT 1", down="r1")
    repository.project.add("r4", down=("r2", "r3"))
    scripts = RevisionScripts.read(repository.project.ini)
    planned = scripts.after(start(repository.project).revisions)
    assert [script.revision for script in planned] == ["r2", "r4"]


@pytest.mark.parametrize(
    "line",
    ['revision: str = "r1"', "revision='r1'", 'revision: Final = "r1"  # the "first"'],
    ids=["str", "'", "Final"],
)
def test_the_id_of_a_revision_may_be_written_in_several_ways(repository: Repository, line: str) -> None:
    path = repository.project.add("r1", "SELECT 1")
    path.write_text("from typing import Final\n" + path.read_text().replace('revision = "r1"', line, 1))
    repository.commit(tag="v1")
    assert start(repository.project).revisions == ("r1",)


def test_revisions_of_another_project_do_not_count(repository: Repository) -> None:
    AlembicProject(repository.folder / "other").add("r9", "SELECT 1")
    repository.commit("r1", tag="v1")
    assert start(repository.project).revisions == ("r1",)


def test_a_commit_without_the_project_is_an_empty_database(repository: Repository) -> None:
    repository.commit("r1")
    repository.git("rm", "-r", "--quiet", "--cached", "scripts")
    repository.git("commit", "--quiet", "--message", "without")
    repository.git("tag", "v1")
    assert start(repository.project) == Start((), "an empty database: there are no revisions at v1, the last tag")


def test_a_revision_that_was_removed_after_the_commit_is_an_error(repository: Repository) -> None:
    repository.commit("r1", "r2", tag="v1")
    repository.project.path("r2").unlink()
    with pytest.raises(ReviewError, match="revision r2 at v1, the last tag must be one of the current revisions"):
        start(repository.project)


def test_an_unknown_git_ref_is_an_error(repository: Repository) -> None:
    repository.commit("r1")
    with pytest.raises(ReviewError, match=r"SINCE must be a commit, tag or branch of the repository \(got 'v9'\)"):
        start(repository.project, since="v9")


def test_an_option_of_git_is_not_a_git_ref(repository: Repository, tmp_path: Path) -> None:
    repository.commit("r1")
    with pytest.raises(ReviewError, match="SINCE must be a commit"):
        start(repository.project, since=f"--output={tmp_path}/written")
    assert not (tmp_path / "written").exists()


def test_a_git_ref_outside_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match=r"\(got 'v1'\): not a git repository"):
        start(AlembicProject(tmp_path), since="v1")


def test_a_plan_starts_at_a_revision_or_at_the_start_of_its_id(tmp_path: Path) -> None:
    project = AlembicProject(tmp_path)
    project.add("abc123", "SELECT 1")
    project.add("def456", "SELECT 1")
    assert start(project, revision="abc1") == Start(("abc123",), "as requested")
    assert start(project, revision="base") == Start((), "an empty database, as requested")


def test_an_unknown_revision_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match=r"FROM \(--from\) must be a revision of .* \(got 'abc'"):
        start(AlembicProject(tmp_path), revision="abc")


def test_a_revision_and_a_git_ref_together_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="must not be set together"):
        start(AlembicProject(tmp_path), revision="base", since="v1")


def test_the_lint_starts_after_the_baseline_of_alembic_ini(tmp_path: Path) -> None:
    project = AlembicProject(tmp_path)
    project.add("r1", "SELECT 1")
    project.add("r2", "SELECT 1")
    assert find_baseline(RevisionScripts.read(project.ini), since=None).revisions == ()
    project.ini.write_text(project.ini.read_text().replace("[alembic]", "[alembic]\nstart_after = r1"))
    assert find_baseline(RevisionScripts.read(project.ini), since=None).revisions == ("r1",)


def test_a_baseline_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    project = AlembicProject(tmp_path)
    project.ini.write_text(project.ini.read_text().replace("[alembic]", "[alembic]\nstart_after = r9"))
    with pytest.raises(ReviewError, match=r"start_after in alembic.ini must be a revision of .* \(got 'r9'"):
        find_baseline(RevisionScripts.read(project.ini), since=None)


def test_the_lint_since_a_git_ref_starts_after_the_revisions_of_its_commit(repository: Repository) -> None:
    repository.commit("r1", tag="v1")
    repository.commit("r2")
    assert find_baseline(RevisionScripts.read(repository.project.ini), since="v1").revisions == ("r1",)
