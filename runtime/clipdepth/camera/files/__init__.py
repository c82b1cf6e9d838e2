"""Files of cameras, as the tools that calibrate them write them: one module a kind, one table that knows them."""
