"""`python -m mt_service` is `mt`."""

import sys

from mt_service.cli import program

sys.exit(program())
