"""The files that run in AWS: zips of functions, locked wheels, and the root certificates of RDS."""

import os
from pathlib import Path

from platformdirs import user_cache_path

PACKAGE = Path(__file__).parents[1]
"""The folder of `rds_alembic`."""

_CHECKOUT = PACKAGE.parent
_IS_WHEEL = (PACKAGE / "sources").is_dir()

SOURCES = PACKAGE / "sources" if _IS_WHEEL else _CHECKOUT
"""The folder with `migrator/`, `rds_iam/` and `requirements/`. A wheel has them as data inside the package."""

_IS_WRITABLE_CHECKOUT = not _IS_WHEEL and os.access(_CHECKOUT, os.W_OK)

BUILD_FOLDER = _CHECKOUT / ".build" if _IS_WRITABLE_CHECKOUT else user_cache_path("rds-alembic", appauthor=False)
"""The cache of wheels and zips: in the checkout, or, for a wheel or a read-only checkout, the cache of the user.

The names of wheels and zips end with a digest of their content.
"""

UV_CONFIG = _CHECKOUT / ".tools" / "uv.toml"
"""The file that `make setup` writes in a checkout if pip is configured for a mirror. uv ignores the files of pip."""
