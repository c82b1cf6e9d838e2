"""`python -m tiny_clipdepth …`: the `clipdepth` command in a process that knows the tests' tiny CLIP."""

import sys

import tiny_clip  # noqa: F401 (told to open_clip)
from clipdepth.cli import main

if __name__ == "__main__":
    sys.exit(main())
