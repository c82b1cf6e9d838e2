"""Pictures that are in both splits: the same file, or a file of the same bytes."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from clipdepth_train.data.checking.findings import Findings
from clipdepth_train.data.checking.pairs import NamedPair


def find_duplicates(pairs: Iterable[NamedPair], findings: Findings) -> None:
    """Find test pictures that are trained on; only files with as many bytes as one of the others are read."""
    trained: dict[int, list[Path]] = defaultdict(list)
    tested = list[NamedPair]()
    folders = set[Path]()
    for pair in pairs:
        if pair.split == "train":
            trained[pair.rgb.stat().st_size].append(pair.rgb)
            folders.add(pair.rgb.resolve().parent)
        else:
            tested.append(pair)
    hashes: dict[Path, bytes] = {}
    for pair in tested:
        for other in trained.get(pair.rgb.stat().st_size, ()):
            if _hash(other, hashes) == _hash(pair.rgb, hashes):
                findings.add(
                    "test picture that is trained on", f"{pair.where} ({other})", "take it off one of the lists"
                )
                break
        if pair.rgb.resolve().parent in folders:
            remedy = "hold out whole scenes, if there are several"
            findings.add("test picture from a folder that is trained on", pair.where, remedy, is_fault=False)


def _hash(path: Path, known: dict[Path, bytes]) -> bytes:
    if path not in known:
        known[path] = hashlib.sha256(path.read_bytes()).digest()
    return known[path]
