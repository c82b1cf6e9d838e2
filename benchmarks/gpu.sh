#!/usr/bin/env bash
# On a machine with an NVIDIA GPU and PyTorch with CUDA, no network needed: training steps, exports, TensorRT engines and
# the whole benchmark of `edge` and the paper's Multi-Scale Adapter at 240×320 and 416×544. One folder of results.
#
#   benchmarks/gpu.sh [RESULTS]
#
# PYTHON   the interpreter whose PyTorch sees the GPU (python3)
# WHEELS   a folder of wheels that its packages lack: open_clip_torch, timm, onnx, onnxruntime-gpu, tensorrt, … (wheels)
# SIZES    the models' inputs (240x320 416x544)
#
# Nothing is installed into PYTHON: wheels are unpacked in RESULTS. Weights are random, which latency does not depend on.
# A step that fails is named at the end, and the others go on. RESULTS/work holds the logs and bundles; the rest is for
# people. Without a GPU nothing is done.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
wheels=${WHEELS:-wheels}
read -ra sizes <<< "${SIZES:-240x320 416x544}"

if ! gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) || [ -z "$gpu" ]; then
    echo "no NVIDIA GPU here: nothing is measured"
    exit 0
fi
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    echo "$python has no PyTorch that sees the $gpu: nothing is measured; set PYTHON to one that has"
    exit 0
fi

results=$(realpath -m "${1:-benchmarks/results/$(echo "$gpu" | tr -cs '[:alnum:]\n' '-' | tr '[:upper:]' '[:lower:]')}")
work="$results/work"
mkdir -p "$work"
failed=()

step() { # NAME COMMAND…: run it, keep what it prints, remember whether it failed
    local name=$1
    shift
    echo "== $name"
    "$@" > >(tee "$work/$name.log") 2>&1 || failed+=("$name")
}

for wheel in "$wheels"/*.whl; do
    [ -e "$wheel" ] && step "install-$(basename "$wheel" .whl)" \
        "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --target "$work/packages" "$wheel"
done
run=("$python" -m clipdepth)
export PYTHONPATH="$work/packages:runtime:train:export:benchmarks${PYTHONPATH:+:$PYTHONPATH}"

{
    nvidia-smi
    "$python" -m pip list --format freeze
} > "$results/device.txt"
step training-steps "$python" benchmarks/training_step.py --size "${sizes[@]}" --out "$results/training_steps.json"

for size in "${sizes[@]}"; do
    for model in edge msa-l1; do
        name="$model-$size"
        step "train-$name" "${run[@]}" train "$model" --data rooms --out "$work/$name" --epochs 1 --batch-size 8 \
            --frames.rooms 4 --frames.height "${size%x*}" --frames.width "${size#*x}" --model.trunk.weights none
        step "export-$name" "${run[@]}" export "$work/$name" --out "$work/$name.bundle" --precision fp32 fp16 int8
        [ -d "$work/$name.bundle" ] || continue
        for precision in fp32 fp16 int8; do
            step "build-$name-$precision" "${run[@]}" build "$work/$name.bundle" --precision "$precision"
        done
        step "bench-$name" "${run[@]}" bench "$work/$name.bundle" --run "$work/$name" --roofline --out "$results/$name"
    done
done

echo "results are in $results"
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}; each one's log is in $work"
    exit 1
fi
