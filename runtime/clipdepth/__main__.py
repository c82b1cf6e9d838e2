"""`python -m clipdepth` is the `clipdepth` command."""

import sys

from clipdepth.cli import main

sys.exit(main())
