"""Latency and agreement with PyTorch, side by side in one run."""
