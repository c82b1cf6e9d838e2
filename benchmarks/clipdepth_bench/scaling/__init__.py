"""Scaling: how latency and memory grow with input size, batch, threads and the number of cameras."""
