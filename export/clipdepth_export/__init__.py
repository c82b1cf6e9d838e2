"""From a checkpoint to a verified bundle. Needs the `export` extra."""
