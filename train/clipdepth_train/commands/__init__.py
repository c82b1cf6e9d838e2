"""The subcommands of `clipdepth` that need the `train` extra."""
