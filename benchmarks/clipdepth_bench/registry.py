"""Every contender there is: a bundle's engines, the PyTorch model they came from, and what people would use instead."""

from clipdepth_bench.contender import Entry, Setup
from clipdepth_bench.families import engines, peers, pytorch, pytorch_cuda


def list_entries(setup: Setup) -> list[Entry]:
    """All that take part, PyTorch eager on the CPU, to which others are compared, first."""
    families = (pytorch, pytorch_cuda, engines, *([peers] if setup.peers else []))
    entries = [entry for family in families for entry in family.entries(setup)]
    return [entry for entry in entries if not {entry.name, entry.key} & set(setup.without)]


def find_entry(setup: Setup, key: str) -> Entry:
    """The entry of that key."""
    return next(entry for entry in list_entries(setup) if entry.key == key)
