"""Two reports against each other."""
