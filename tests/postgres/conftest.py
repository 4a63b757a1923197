"""The servers of this tier, each started once in a session, and the states of their databases.

- `postgres`: the default server, of the kind and version that `localaws` chooses
- `token_verifier`: the verifier of tokens for all servers; accepts tokens signed with the key in `servers.KEYS`
- `without_policy`: for one test, the key has no permission to log in
- `any_version`: a `Cluster` for each supported version; a test that uses it runs once for each of them
- `cluster`: the default server as a `Cluster`, with an empty database and without roles of other tests
- `bootstrapped`: the same after the role setup
- `proxy`: connections to the default server with any credentials
- `role`, `iam_role`, `password_role`: a new login role, which in addition is a member of rds_iam or has a password
- `start_over`: drops the objects that a test has created in `bootstrapped`
- `at_head`: `bootstrapped`, upgraded to the head of the example project
- `project`: an Alembic project with one revision
- `run`: upgrades `bootstrapped` as the migrator does
- `restore`: handles a rollback as the migrator does
- `model_connection`: a connection of the owner of a new database, for generated revisions
- `database`: a new database on the default server, owned by the master user
"""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from localaws.certificates import CertificateAuthority
from localaws.postgres.access import SUPERUSER
from localaws.rds import RdsInstance, start
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest
from migrator.rollback import roll_back
from migrator.upgrade_context import Outcome
from rds_alembic.assets.migrator import project_files
from rds_alembic.revisions.alembic_project import ZIP_FOLDER, AlembicProject
from tests.postgres import servers
from tests.postgres.projects import Project
from tests.postgres.proxies import PASSWORD, ProxyClient
from tests.postgres.role_setup import set_up_roles
from tests.postgres.servers import CREDENTIAL, KEYS, SETTINGS, Cluster
from tests.postgres.upgrades import Upgrade, as_migrator, run_upgrade
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
    """Remove the permission of the key to log in."""
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
    """Return a function that returns the server of a version, and starts it at the first call."""
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
    set_up_roles(cluster)
    return cluster


@pytest.fixture
def start_over(bootstrapped: Cluster) -> Callable[[], None]:
    """Return a function that drops all tables; the roles and their privileges remain."""

    def start_over() -> None:
        bootstrapped.admin(DROP_EVERYTHING)

    return start_over


@pytest.fixture(scope="session")
def own_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the example project of this repository, laid out as in the zip of a function."""
    folder = tmp_path_factory.mktemp("own-project")
    for name, path in project_files(AlembicProject.read(Path(__file__).parents[2])).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    return folder / ZIP_FOLDER


@pytest.fixture
def at_head(bootstrapped: Cluster, own_project: Path) -> None:
    """Upgrade the database to the head of the example project."""
    project = AlembicProject.read(own_project)
    request = UpgradeRequest(project.migrations_digest, project.revisions)
    run_upgrade(as_migrator(bootstrapped), own_project, request)


@pytest.fixture
def database(postgres: RdsInstance) -> Iterator[str]:
    name = f"test_{secrets.token_hex(4)}"
    postgres.admin(f'CREATE DATABASE "{name}" OWNER "{SETTINGS.master_username}"')
    yield name
    postgres.admin(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def model_connection(postgres: RdsInstance) -> Iterator[sa.Connection]:
    """Return a connection of the owner of a new database, for generated revisions."""
    name = f"models_{secrets.token_hex(4)}"
    postgres.admin(f'CREATE DATABASE "{name}" OWNER "{SETTINGS.master_username}"')
    role = f"-c role={SETTINGS.master_username}"
    arguments = {**postgres.access.trusted, "user": SUPERUSER, "dbname": name, "options": role}
    engine = sa.create_engine("postgresql+psycopg2://", connect_args=arguments, poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
    postgres.admin(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def untouched(postgres: RdsInstance) -> RdsInstance:
    """Return the default server with a database on which no role setup has revoked PUBLIC."""
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
    """Return a project with one revision, which creates a table."""
    project = Project(tmp_path / "project")
    project.add("r1", "CREATE TABLE t (id int)")
    return project


@pytest.fixture
def run(bootstrapped: Cluster) -> Upgrade:
    """Return a function that upgrades as the migrator does."""

    def run(project: Project, *, seconds: float = 60.0, invocation: str = "", **request: Any) -> Outcome:
        return run_upgrade(
            as_migrator(bootstrapped),
            project.folder,
            project.request(**request),
            seconds=seconds,
            invocation=invocation,
        )

    return run


@pytest.fixture
def restore(bootstrapped: Cluster) -> Upgrade:
    """Return a function that handles the rollback of a failed deployment as the migrator does."""

    def restore(project: Project, *, old: tuple[str, ...]) -> Outcome:
        request = project.request(old=old)
        return roll_back(request, Manifest.read(project.folder), as_migrator(bootstrapped))

    return restore
