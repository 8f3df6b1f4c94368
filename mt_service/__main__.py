"""`python -m mt_service` is `mt`."""

import sys

from mt_service.cli import main

sys.exit(main())
