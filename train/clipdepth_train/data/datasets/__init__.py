"""Other people's RGB-D datasets: one module a layout, a table that knows them, one writer of our own layout."""
