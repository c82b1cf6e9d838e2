"""What all tests share."""

import os

# Before anything imports PyTorch: tiny models are faster on one thread, above all where other processes want the cores.
os.environ["OMP_NUM_THREADS"] = "1"
