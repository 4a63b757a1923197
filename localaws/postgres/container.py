"""PostgreSQL from a Docker image, started by testcontainers."""

import os
from contextlib import closing, suppress
from pathlib import Path

import docker.errors  # type: ignore[import-untyped] # has no types
import docker.types  # type: ignore[import-untyped] # likewise
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from localaws.certificates import CertificateAuthority
from localaws.constants import HOST
from localaws.errors import LocalAwsError
from localaws.postgres.access import SUPERUSER, Dsn, ServerAccess
from localaws.postgres.configuration import INITDB, container_conf, container_hba
from localaws.postgres.helper_process import HelperProcess
from localaws.postgres.server import Server, ServerConfig, free_port, unique_name

IMAGE_VARIABLE = "LOCALAWS_POSTGRES_IMAGE"
FILES = "/localaws"  # in the container
# A volume, because the writable layer of a container creates files ten times as slowly, and a database has 300 files.
# The image's folder belongs to the user postgres, and so does a new volume in its place.
VOLUME = "/var/lib/postgresql"
DATA = f"{VOLUME}/localaws"

# The script needs only the image's PostgreSQL programs, the user postgres and bash. It also runs at each restart.
START = f"""\
set -eu
umask 077
export PATH="$PATH:$(echo /usr/lib/postgresql/*/bin)"
cd {FILES}
if [ ! -e {DATA}/ready ]; then
  initdb -D {DATA} {" ".join(INITDB)}
  cat postgresql.conf >>{DATA}/postgresql.conf
  cp pg_hba.conf server.crt server.key clients.crt {DATA}
  touch {DATA}/ready
fi
exec postgres -D {DATA}
"""


def image_for(version: int) -> str:
    """Return the image of a major version: the official image, or the image that LOCALAWS_POSTGRES_IMAGE names."""
    return os.environ.get(IMAGE_VARIABLE, "postgres:{version}").format(version=version)


def obstacle(version: int) -> str | None:
    """Return the reason why no container of this version can run, or None. Pulls the image if necessary."""
    image = image_for(version)
    try:
        with closing(docker.from_env()) as client:
            return None if _has_image(client, image) else f"the image {image} is not available and cannot be pulled"
    except docker.errors.DockerException:
        return "no Docker daemon answers"


def _has_image(client: docker.DockerClient, image: str) -> bool:
    for get in (client.images.get, client.images.pull):
        with suppress(docker.errors.APIError):
            return bool(get(image))
    return False


class ContainerServer(Server):
    """A server in a container. Its port is published on the loopback address only."""

    def __init__(self, config: ServerConfig, folder: Path, *, version: int, supervisor_file: Path) -> None:
        name, port = unique_name(), free_port()
        authority = CertificateAuthority(folder / "private-ca")
        access = ServerAccess(
            trusted=_superuser_dsn(authority, port), password_port=port, client_certificates=str(authority.folder)
        )
        supervisor_config = {"folder": str(folder), "container": name}
        supervisor = HelperProcess(supervisor_file, supervisor_config, log=folder / "supervisor.log")
        super().__init__(folder, access, supervisor)
        try:
            self._container = _container(config, version, name=name, port=port, authority=authority)
            self._container.start()
            self._wait_until_ready()
        except docker.errors.DockerException as error:
            supervisor.stop()
            raise LocalAwsError(f"the container of PostgreSQL does not start: {error}") from error
        except BaseException:
            supervisor.stop()
            raise

    def exit_log(self) -> str | None:
        """Return the end of the container's log if the container has ended."""
        self._container.reload()
        if self._container.status != "exited":
            return None
        return b"".join(self._container.get_logs()).decode(errors="replace")[-2000:].strip()


def _container(
    config: ServerConfig, version: int, *, name: str, port: int, authority: CertificateAuthority
) -> DockerContainer:
    # testcontainers uses a second container to clean up, which needs an image. The supervisor cleans up instead.
    testcontainers_config.ryuk_disabled = True
    container = DockerContainer(image_for(version), command=f"{FILES}/start", name=name)
    volume = docker.types.Mount(VOLUME, None, type="volume")  # without a name: Docker removes it with the container
    container.with_kwargs(entrypoint=["bash"], user="postgres", mounts=[volume])
    container.ports["5432/tcp"] = (HOST, port)  # type: ignore[assignment] # docker accepts an address: loopback only
    certificate, key = authority.issue([HOST])
    files: dict[str, bytes | Path] = {
        "start": START.encode(),
        "postgresql.conf": container_conf(config).encode(),
        "pg_hba.conf": container_hba(config).encode(),
        "server.crt": certificate,
        "server.key": key,
        "clients.crt": authority.ca_path,
    }
    for file, content in files.items():
        container.with_copy_into_container(content, f"{FILES}/{file}")
    return container


def _superuser_dsn(authority: CertificateAuthority, port: int) -> Dsn:
    certificate, key = authority.issue_client(SUPERUSER)
    return {
        "host": HOST,
        "port": port,
        "sslmode": "verify-full",
        "sslrootcert": str(authority.ca_path),
        "sslcert": str(certificate),
        "sslkey": str(key),
    }
