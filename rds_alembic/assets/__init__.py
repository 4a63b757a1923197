"""The files that run in AWS: zips of functions, locked wheels, and the root certificates of RDS."""

from pathlib import Path

from platformdirs import user_cache_path

PACKAGE = Path(__file__).parents[1]
"""The folder of `rds_alembic`."""

_CHECKOUT = PACKAGE.parent
_IS_WHEEL = (PACKAGE / "sources").is_dir()

SOURCES = PACKAGE / "sources" if _IS_WHEEL else _CHECKOUT
"""The folder with `migrator/`, `rds_iam/` and `requirements/`. A wheel has them as data inside the package."""

BUILD_FOLDER = user_cache_path("rds-alembic", appauthor=False) if _IS_WHEEL else _CHECKOUT / ".build"
"""The cache of wheels and zips. Every name in it ends with a digest of its content."""

UV_CONFIG = _CHECKOUT / ".tools" / "uv.toml"
"""The file that `make setup` writes in a checkout if pip is configured for a mirror. uv ignores the files of pip."""
