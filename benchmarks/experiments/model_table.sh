#!/usr/bin/env bash
# The table of docs/recipes.md: parameters, GFLOP and latency of each at its own size. Weights are random, which
# latency does not depend on; nothing here says anything about accuracy.
#   benchmarks/experiments/model_table.sh [FOLDER]
set -euo pipefail
out=${1:-model-table}
clipdepth data render rooms --out "$out/rooms" --train 8 --test 2 --size 480x640
for model in depthclip msa-l1 edge; do
    clipdepth train "$model" --epochs 0 --model.trunk.weights none --data "$out/rooms" --out "$out/$model"
    clipdepth export "$out/$model" --out "$out/$model.bundle"
    clipdepth bench "$out/$model.bundle" --run "$out/$model" --rounds 6 --per-round 4 --skip compile --skip streaming --skip memory --json "$out/$model.json"
done
