"""What all tests of training share."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny models are faster on one thread, above all where other processes want the cores."""
    torch.set_num_threads(1)
