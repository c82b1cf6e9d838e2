"""What `clipdepth data check` looks for in a set of RGB-D pairs, and the picture it makes of it."""
