"""The paper's tables as they are printed: what each row is called, what it reports, and which recipe makes it.

"Unveiling the Efficacy of Foundation Models for Depth Estimation", NYU Depth v2. Where the tables head a column
rmse_log, table 2 and the Coarse/Refined adapter give the natural-log rmse, all others the mean |log10| difference.
"""

from dataclasses import dataclass, field

COLUMNS = ("delta1", "delta2", "delta3", "rel", "log10", "rmse")


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    label: str
    supervision: str
    published: dict[str, float] = field(default_factory=dict)
    """Its metrics in the paper; empty where it has none that can be told apart."""
    recipe: str = ""
    """The recipe that measures it; empty for a row that is only quoted."""
    computed: bool = False
    """Whether it is the random lower bound, which needs no recipe."""

    @property
    def quoted(self) -> bool:
        """Whether nothing of it is measured here."""
        return not self.recipe and not self.computed


def _row(label: str, supervision: str, figures: str, recipe: str = "", columns: tuple[str, ...] = COLUMNS) -> Row:
    published = {name: float(text) for name, text in zip(columns, figures.split(), strict=True) if text != "-"}
    return Row(label, supervision, published, recipe)


LOG_COLUMNS = ("delta1", "delta2", "delta3", "rel", "rmse_log", "rmse")
_RANDOM = _row("random, 0 to 10 m", "none", "0.140 0.297 0.471 1.327 0.323 2.934")

TABLES = {
    "table1": (
        Row(_RANDOM.label, _RANDOM.supervision, _RANDOM.published, computed=True),
        _row("vid2depth (KITTI)", "zero-shot", "0.268 0.507 0.695 0.572 - 1.637"),
        _row("DepthCLIP", "zero-shot", "0.394 0.683 0.851 0.388 0.156 1.167", "depthclip"),
        _row("Make3D", "depth", "0.447 0.745 0.897 0.349 - 1.214"),
        _row("DORN", "depth", "0.828 0.965 0.992 0.115 0.051 0.509"),
        _row(
            "Coarse/Refined adapter",
            "depth",
            "0.394 0.695 0.873 0.354 0.418 1.121",
            "refined-adapter",
            LOG_COLUMNS,
        ),
        _row("CLIP-Adapter, both", "ssl", "0.369 0.667 0.848 0.353 0.161 1.205", "clip-adapter-ssl"),
        # The paper's best row of one adapter, and it is not legible of which.
        _row("CLIP-Adapter, image", "depth", "0.411 0.704 0.869 0.376 0.149 1.109", "clip-adapter-image"),
        _row("MSA with SAM", "ssl", "0.161 0.309 0.439 0.630 0.401 1.997", "msa-ssl-sam"),
        _row("MSA", "depth (L1)", "0.573 0.856 0.956 0.255 0.104 0.804", "msa-l1"),
    ),
    "table2": (
        _row(
            "depth_eigen, coarse",
            "depth (L2)",
            "0.618 0.891 0.969 0.228 0.283 0.871",
            "depth-eigen-coarse",
            LOG_COLUMNS,
        ),
        _row(
            "depth_eigen, refined",
            "depth (L2)",
            "0.611 0.887 0.971 0.215 0.285 0.907",
            "depth-eigen-refined",
            LOG_COLUMNS,
        ),
        _row("Coarse adapter", "depth (L2)", "0.217 0.431 0.612 0.444 0.986 1.601", "coarse-adapter", LOG_COLUMNS),
        _row("Refined adapter", "depth (L2)", "0.394 0.695 0.873 0.354 0.418 1.121", "refined-adapter", LOG_COLUMNS),
    ),
    "table3": (
        _row("MSA", "ssl", "0.101 0.205 0.312 0.690 0.511 2.207", "msa-ssl"),
        _row("MSA with SAM", "ssl", "0.161 0.309 0.439 0.630 0.401 1.997", "msa-ssl-sam"),
        _row("MSA with CLIP", "ssl", "0.385 0.678 0.850 0.386 0.158 1.177", "msa-ssl-clip"),
        _row("MSA with CLIP and SAM", "ssl", "0.381 0.675 0.846 0.382 0.160 1.191", "msa-ssl-clip-sam"),
        Row("MSA", "ssl, real views", recipe="msa-views"),
        Row("MSA with CLIP", "ssl, real views", recipe="msa-views-clip"),
        _row("MSA", "L2", "0.456 0.768 0.920 0.308 0.130 0.975", "msa-l2"),
        _row("MSA with SAM", "L2", "0.426 0.732 0.898 0.338 0.140 1.050", "msa-l2-sam"),
        _row("MSA with CLIP", "L2", "0.385 0.674 0.846 0.398 0.159 1.184", "msa-l2-clip"),
        _row("MSA with CLIP and SAM", "L2", "0.384 0.671 0.844 0.394 0.160 1.191", "msa-l2-clip-sam"),
        _row("MSA", "L1", "0.573 0.856 0.956 0.255 0.104 0.804", "msa-l1"),
        _row("MSA with SAM", "L1", "0.576 0.856 0.955 0.254 0.104 0.808", "msa-l1-sam"),
        _row("MSA with CLIP", "L1", "0.381 0.669 0.842 0.379 0.161 1.201", "msa-l1-clip"),
        _row("MSA with CLIP and SAM", "L1", "0.379 0.667 0.841 0.375 0.162 1.207", "msa-l1-clip-sam"),
    ),
    "table4": (
        _row("CLIP-Adapter, both", "ssl", "0.369 0.667 0.848 0.353 0.161 1.205", "clip-adapter-ssl"),
        _row("CLIP-Adapter, both", "depth (L2)", "0.373 0.672 0.850 0.355 0.160 1.197", "clip-adapter"),
        Row("CLIP-Adapter, image", "depth (L2)", recipe="clip-adapter-image"),
        Row("CLIP-Adapter, text", "depth (L2)", recipe="clip-adapter-text"),
        _row("one of the two", "depth (L2)", "0.386 0.685 0.856 0.369 0.156 1.165"),
        _row("the other (which is not legible)", "depth (L2)", "0.411 0.704 0.869 0.376 0.149 1.109"),
    ),
}

REFINES = {"depth-eigen-refined": "depth-eigen-coarse", "refined-adapter": "coarse-adapter"}
"""The recipe whose run a refining one starts from."""
