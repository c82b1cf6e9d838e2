"""`clipdepth bench pareto`: accuracy against latency of several bundles' engines in one run."""
