"""The files that run in AWS: zips of functions, locked wheels, and the root certificates of RDS."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
"""The folder with the packages of the functions and with `requirements/`."""

BUILD_FOLDER = CHECKOUT / ".build"
"""The cache of wheels and zips. Every name in it ends with a digest of its content."""
