"""The constants that several parts of the local AWS use."""

from pathlib import Path

from rds_alembic.assets import BUILD_FOLDER, SOURCES

CHECKOUT = Path(__file__).resolve().parent.parent
"""The folder of this package: a checkout, or `site-packages`, which may be read-only."""
STATE = CHECKOUT / ".localaws" if SOURCES.resolve() == CHECKOUT else BUILD_FOLDER / "localaws"
"""The folder of the certificate authority, the runtime packages, and the files of each emulator instance."""
HOST = "127.0.0.1"
ACCOUNT = "000000000000"
REGION = "eu-central-1"
COMMAND = ".venv/bin/python -m localaws"
"""The command that a user types in the checkout."""
