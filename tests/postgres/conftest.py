"""Servers for this tier: each is started once for the session, and reached through its IAM authentication proxy only.

- `postgres`: the server everything is tested on, of the kind and version that `localaws` chooses
- `token_verifier`: accepts tokens signed with the key in `servers.KEYS`, until a test changes that
- `without_policy`: a time in which that key may not log in as any user
- `any_version`: as a `Cluster`, a server of each version we support; a test using it runs once for each
- `cluster`: the default server as a `Cluster`, with an empty database and no roles from other tests
- `bootstrapped`: the same after the role bootstrap
- `proxy`: the way into the default server, with whatever credentials
- `role`, `iam_role`, `password_role`: a new login role: without more, in rds_iam, with the password `doors.PASSWORD`
- `start_over`: a quick way back from what a test did to `bootstrapped`
- `at_head`: `bootstrapped`, and then upgraded to the head of the project's own revisions
- `project`: somebody's Alembic project, with one revision
- `run`: upgrades `bootstrapped` as a function does
- `restore`: what the function does when CloudFormation rolls back
- `database`: a new database on the default server, owned by the master, dropped after the test
"""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from localaws.certificates import CertificateAuthority
from localaws.rds import RdsInstance, start
from migrator.events import RolesRequest, UpgradeRequest
from migrator.manifest import Manifest
from migrator.roles import reconcile
from migrator.rollback import roll_back
from migrator.upgrade import upgrade
from migrator.upgrade_context import Outcome, UpgradeContext
from rds_alembic.assets.migrator import project_files
from rds_alembic.revisions.alembic_project import AlembicProject
from rds_iam.deadline import Deadline
from tests.postgres import servers
from tests.postgres.projects import Project
from tests.postgres.proxies import PASSWORD, ProxyClient
from tests.postgres.servers import CREDENTIAL, KEYS, SETTINGS, Cluster
from tests.postgres.upgrades import Upgrade
from tests.token_verifiers import StaticTokenVerifier

VERSIONS = (15, 16, 17, 18)
DROP_EVERYTHING = """
DROP SCHEMA IF EXISTS alembic_history CASCADE;
DO $$
DECLARE each regclass;
BEGIN
    FOR each IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', each);
    END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def token_verifier() -> StaticTokenVerifier:
    return servers.token_verifier()


@pytest.fixture
def without_policy(token_verifier: StaticTokenVerifier) -> Iterator[None]:
    """Let the key sign as before, but allow it to log in as nobody."""
    key = KEYS["AWS_ACCESS_KEY_ID"]
    token_verifier.put(key, replace(CREDENTIAL, allow=()))
    yield
    token_verifier.put(key, CREDENTIAL)


@pytest.fixture(scope="session")
def postgres(token_verifier: StaticTokenVerifier, certificates: CertificateAuthority) -> Iterator[RdsInstance]:
    with start(SETTINGS, token_verifier=token_verifier, certificates=certificates) as server:
        yield server


@pytest.fixture(scope="session")
def server_of_version(
    postgres: RdsInstance, token_verifier: StaticTokenVerifier, certificates: CertificateAuthority
) -> Iterator[Callable[[int], RdsInstance]]:
    """Return a function that starts a server when it is first asked for: not every run needs all of them."""
    running = {postgres.server_version: postgres}
    with ExitStack() as stack:

        def find(version: int) -> RdsInstance:
            if version not in running:
                server = start(
                    SETTINGS, token_verifier=token_verifier, certificates=certificates, kind="embedded", version=version
                )
                running[version] = stack.enter_context(server)
            return running[version]

        yield find


@pytest.fixture(params=VERSIONS, ids=lambda version: f"PostgreSQL {version}")
def any_version(request: pytest.FixtureRequest, server_of_version: Callable[[int], RdsInstance]) -> Cluster:
    return Cluster(server_of_version(request.param))


@pytest.fixture
def cluster(postgres: RdsInstance) -> Cluster:
    cluster = Cluster(postgres)
    cluster.reset()
    return cluster


@pytest.fixture
def bootstrapped(cluster: Cluster) -> Cluster:
    with cluster.connect_as_master() as master:
        reconcile(master, RolesRequest("app_owner", "migrator", ("querier",)), None)
    return cluster


@pytest.fixture
def start_over(bootstrapped: Cluster) -> Callable[[], None]:
    """Return a quick way back to an empty database: the roles and their privileges stay."""

    def start_over() -> None:
        bootstrapped.admin(DROP_EVERYTHING)

    return start_over


@pytest.fixture(scope="session")
def own_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with this repository's Alembic project, laid out as in the function's zip."""
    folder = tmp_path_factory.mktemp("own-project")
    for name, path in project_files(AlembicProject.read(Path(__file__).parents[2])).items():
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, folder / name)
    return folder


@pytest.fixture
def at_head(bootstrapped: Cluster, own_project: Path) -> None:
    """Bring the database to the head of the project's own revisions."""
    project = AlembicProject.read(own_project)
    request = UpgradeRequest(project.migrations_digest, project.revisions)
    connect = partial(bootstrapped.connect_with_token, "migrator")
    upgrade(UpgradeContext(request, own_project, connect, Deadline.after(60)))


@pytest.fixture
def database(postgres: RdsInstance) -> Iterator[str]:
    name = f"test_{secrets.token_hex(4)}"
    postgres.admin(f'CREATE DATABASE "{name}" OWNER "{SETTINGS.master_username}"')
    yield name
    postgres.admin(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def untouched(postgres: RdsInstance) -> RdsInstance:
    """Return the default server with a database that no bootstrap has closed to the public."""
    Cluster(postgres).reset()
    return postgres


@pytest.fixture
def proxy(untouched: RdsInstance) -> ProxyClient:
    return ProxyClient(untouched)


@pytest.fixture
def role(postgres: RdsInstance) -> Iterator[str]:
    name = f"role_{secrets.token_hex(4)}"
    postgres.admin(f"CREATE ROLE {name} LOGIN")
    yield name
    postgres.admin(f"DROP ROLE {name}")


@pytest.fixture
def iam_role(postgres: RdsInstance, role: str) -> str:
    postgres.admin(f"GRANT rds_iam TO {role}")
    return role


@pytest.fixture
def password_role(postgres: RdsInstance, role: str) -> str:
    postgres.admin(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
    return role


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with one revision, which makes a table."""
    project = Project(tmp_path / "project")
    project.add("r1", "CREATE TABLE t (id int)")
    return project


@pytest.fixture
def run(bootstrapped: Cluster) -> Upgrade:
    """Upgrade as the migrator, by token."""

    def run(project: Project, *, seconds: float = 60.0, **request: Any) -> Outcome:
        connect = partial(bootstrapped.connect_with_token, "migrator")
        return upgrade(UpgradeContext(project.request(**request), project.folder, connect, Deadline.after(seconds)))

    return run


@pytest.fixture
def restore(bootstrapped: Cluster) -> Upgrade:
    """Do what the migrator does when CloudFormation restores a project after a failed deployment."""

    def restore(project: Project, *, old: tuple[str, ...]) -> Outcome:
        request = project.request(old=old)
        return roll_back(request, Manifest.read(project.folder), partial(bootstrapped.connect_with_token, "migrator"))

    return restore
