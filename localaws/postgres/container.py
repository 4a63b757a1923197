"""PostgreSQL from the stock image, started by testcontainers."""

import os
from contextlib import closing, suppress
from pathlib import Path

import docker.errors  # type: ignore[import-untyped] # has no types
import docker.types  # type: ignore[import-untyped] # likewise
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from localaws.certificates import Certificates
from localaws.errors import LocalAwsError
from localaws.front_door.entrance import HOST, SUPERUSER, Dsn, Entrance
from localaws.postgres.bootstrap import wait_until_ready
from localaws.postgres.child import KEEPER, Child
from localaws.postgres.configuration import INITDB, container_conf, container_hba
from localaws.postgres.settings import (
    PostgresSettings,
    RestartMode,
    free_port,
    fresh_name,
)

IMAGE_VARIABLE = "LOCALAWS_POSTGRES_IMAGE"
FILES = "/localaws"  # in the container
# In the container, on a volume: the container's own layer creates files ten times as slowly, and a database has 300.
# The image's folder belongs to postgres, and so does a new volume in its place.
VOLUME = "/var/lib/postgresql"
DATA = f"{VOLUME}/localaws"

# Uses of the image no more than its programs, its user postgres and bash. Runs again at each restart.
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
    """Return the image's name: the official one, or what LOCALAWS_POSTGRES_IMAGE says."""
    return os.environ.get(IMAGE_VARIABLE, "postgres:{version}").format(version=version)


def obstacle(version: int) -> str | None:
    """Return why there can be no container of this version, or None if there can; may pull the image."""
    image = image_for(version)
    try:
        with closing(docker.from_env()) as client:
            return None if _has_image(client, image) else f"image {image} is not there and cannot be pulled"
    except docker.errors.DockerException:
        return "no Docker daemon answers"


def _has_image(client: docker.DockerClient, image: str) -> bool:
    for get in (client.images.get, client.images.pull):
        with suppress(docker.errors.APIError):
            return bool(get(image))
    return False


class ContainerServer:
    """A server in a container, published on the loopback address only."""

    def __init__(self, settings: PostgresSettings, *, folder: Path, version: int) -> None:
        self._name = fresh_name()
        port = free_port()
        private = Certificates(folder / "private-ca")
        self.entrance = Entrance(
            trusted=_superuser_dsn(private, port), password_port=port, client_certificates=str(private.folder)
        )
        order = {"folder": str(folder), "container": self._name}
        self._keeper = Child(KEEPER, order, log=folder / "keeper.log")
        try:
            self._container = _container(settings, version, name=self._name, port=port, certificates=private)
            self._container.start()
            wait_until_ready(self.entrance, self.obituary)
        except docker.errors.DockerException as error:
            self._keeper.stop()
            raise LocalAwsError(f"the container of PostgreSQL does not start: {error}") from error
        except BaseException:
            self._keeper.stop()
            raise

    def restart(self, mode: RestartMode) -> None:
        """Restart the server and wait until it is back."""
        self._keeper.ask(mode)
        wait_until_ready(self.entrance, self.obituary)

    def suspend(self) -> None:
        """Stop the server and keep its data."""
        self._keeper.ask("stop")

    def resume(self) -> None:
        """Start the server after `suspend()` and wait until it is back."""
        self._keeper.ask("start")
        wait_until_ready(self.entrance, self.obituary)

    def stop(self) -> None:
        """Remove the container."""
        self._keeper.stop()

    def obituary(self) -> str | None:
        """Return the end of the log if the container has ended."""
        self._container.reload()
        if self._container.status != "exited":
            return None
        return b"".join(self._container.get_logs()).decode(errors="replace")[-2000:].strip()


def _container(
    settings: PostgresSettings, version: int, *, name: str, port: int, certificates: Certificates
) -> DockerContainer:
    # testcontainers cleans up by another container, for which there would have to be an image: the keeper does it here.
    testcontainers_config.ryuk_disabled = True
    container = DockerContainer(image_for(version), command=f"{FILES}/start", name=name)
    volume = docker.types.Mount(VOLUME, None, type="volume")  # it has no name, and is removed with the container
    container.with_kwargs(entrypoint=["bash"], user="postgres", mounts=[volume])
    container.ports["5432/tcp"] = (HOST, port)  # type: ignore[assignment] # docker takes it, and so it is loopback only
    certificate, key = certificates.issue([HOST])
    files: dict[str, bytes | Path] = {
        "start": START.encode(),
        "postgresql.conf": container_conf(settings).encode(),
        "pg_hba.conf": container_hba().encode(),
        "server.crt": certificate,
        "server.key": key,
        "clients.crt": certificates.ca_path,
    }
    for file, content in files.items():
        container.with_copy_into_container(content, f"{FILES}/{file}")
    return container


def _superuser_dsn(certificates: Certificates, port: int) -> Dsn:
    certificate, key = certificates.issue_client(SUPERUSER)
    return {
        "host": HOST,
        "port": port,
        "sslmode": "verify-full",
        "sslrootcert": str(certificates.ca_path),
        "sslcert": str(certificate),
        "sslkey": str(key),
    }
