"""The subcommands that a device can run."""
