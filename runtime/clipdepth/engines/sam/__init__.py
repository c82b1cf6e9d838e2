"""Segment Anything on the device: graphs run by an engine, and NumPy around them."""
