"""All that TensorRT does with a bundle before it needs a GPU."""

from clipdepth.bundle.folder import Bundle
from clipdepth.engines.tensorrt.build import build_plan
from clipdepth.engines.tensorrt.network import check_contract, parse_graph
from clipdepth.engines.tensorrt.precisions import check_precisions, network_precisions


def build_all(bundle: Bundle) -> None:
    """Do all that `clipdepth build` does before it needs a GPU, with every graph of the bundle."""
    size = bundle.manifest.input
    layers = set()
    for precision in bundle.manifest.precisions:
        graph = bundle.graph(precision, "tensorrt")
        parsed = parse_graph(graph)
        check_contract(parsed)
        batch = 1 if size.max_batch == 1 else -1
        assert set(parsed.inputs().values()) == {(batch, size.height, size.width, 3)}
        found = network_precisions(parsed)
        check_precisions(found, precision, str(graph))
        layers.add(sum(found.layers.values()))
        assert len(build_plan(parsed, size.max_batch).engine) > 10_000
    assert len(layers) == 1  # whatever the precision, there is as much to multiply
