"""``python -m hippogym`` is the command ``hippogym``."""

import sys

from hippogym.cli import main

sys.exit(main())
