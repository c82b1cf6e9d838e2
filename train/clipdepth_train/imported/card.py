"""What a model's card says it may be used for."""

from pathlib import Path
from typing import Any

from clipdepth.files.foreign import shortened

CARD = "README.md"


def card_licence(folder: Path) -> str | None:
    """The licence in the head of a folder's model card; None where there is no card, or it does not say.

    A licence of the author's own, 'other' for the hub, is told by its name and where it lies.
    """
    from huggingface_hub import ModelCard

    stated: dict[str, Any]
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        stated = vars(ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True).data)
    except Exception:  # of YAML that anybody may have written
        return None
    licence = stated.get("license")
    if isinstance(licence, list):
        licence = ", ".join(str(one) for one in licence)
    if licence == "other":
        licence = " ".join(str(stated[key]) for key in ("license_name", "license_link") if stated.get(key))
    return shortened(" ".join(str(licence).split())) if licence else None
