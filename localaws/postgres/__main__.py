"""Install the programs of a major version, also if they are installed: `python -m localaws.postgres VERSION`."""

import sys

from localaws.errors import LocalAwsError
from localaws.postgres.binaries import install_programs, remove_programs

major_version = int(sys.argv[1])
remove_programs(major_version)
try:
    install_programs(major_version)
except LocalAwsError as error:
    sys.exit(f"error: {error}")
