"""TensorRT engines: built on the device from a bundle's graph, verified, kept in the user's cache and found again."""
