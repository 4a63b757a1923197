"""The process that the tests of crashes kill."""

from functools import partial
from pathlib import Path

import migrator.revision_runner  # noqa: F401 - imported once, before the fork
from migrator.events import UpgradeRequest
from rds_iam.settings import DatabaseSettings
from rds_iam.token import generate_token
from tests.connections import connect_verified
from tests.postgres.interruptions import Interruption, When, kill_this_process
from tests.postgres.servers import KEYS
from tests.postgres.upgrades import run_upgrade


def upgrade_until_killed(
    settings: DatabaseSettings, request: UpgradeRequest, folder: Path, at: int, when: When
) -> None:
    """Upgrade, and kill this process at the point number `at`."""
    connect = partial(
        connect_verified,
        settings.host,
        settings.port,
        database=settings.database,
        user=settings.user,
        password=generate_token(settings, KEYS),
        ca_path=settings.ssl_root_cert,
    )
    interruption = Interruption(strike=kill_this_process, at=at, when=when)
    run_upgrade(partial(interruption.connected, connect), folder, request)
