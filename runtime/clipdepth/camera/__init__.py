"""Cameras: the one that films, what its lens bends, and what depth has to be multiplied by."""
