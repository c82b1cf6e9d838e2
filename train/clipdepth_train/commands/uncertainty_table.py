"""What a model's confidence is worth, as tables for people."""

from rich.table import Table

from clipdepth_train.confidence.uncertainty import Uncertainty


def uncertainty_tables(found: Uncertainty) -> list[Table]:
    """rel by confidence, and how often pixels of a confidence are within 10% of the truth."""
    return [_by_share(found), _reliability(found)]


def _by_share(found: Uncertainty) -> Table:
    title = (
        f"confidence: AUSE {found.ause:.4f} rel, the interval of 90% holds {found.coverage:.1%} of "
        f"{found.pixels:,} pixels of {found.frames} frames"
    )
    table = Table("pixels left", title=title, title_justify="left")
    for heading in ("rel ↓", "change", "at best"):
        table.add_column(heading, justify="right")
    whole = found.rel["1"]
    for share, rel in found.rel.items():
        name = "all" if share == "1" else f"surest {float(share):.0%}"
        table.add_row(name, f"{rel:.4f}", f"{rel / whole - 1:+.1%}", f"{found.best[share] / whole - 1:+.1%}")
    return table


def _reliability(found: Uncertainty) -> Table:
    title = f"within 10%: {found.within:.1%} of the pixels, {found.confidence:.1%} by their confidence"
    table = Table(title=title, title_justify="left")
    for heading in ("pixels", "stated", "observed"):
        table.add_column(heading, justify="right")
    for part in found.reliability:
        table.add_row(f"{part.share:.0%}", f"{part.stated:.1%}", f"{part.observed:.1%}")
    return table
