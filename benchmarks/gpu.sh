#!/usr/bin/env bash
# What a machine with an NVIDIA GPU does, without a network: doctor, TensorRT engines, verdicts and the benchmark of
# `edge-nyu` and of the paper's Multi-Scale Adapter, training steps, training on NYU.
#
#   benchmarks/gpu.sh [RESULTS]
#
# PYTHON       the interpreter whose PyTorch sees the GPU (python3); PYTHONPATH may give what it lacks
# SECONDS_ALL  when no step goes on (300); a benchmark times rows for a fifteenth of it
# NYU          a folder of NYU Depth v2 to train on for what time is left (none: no training)
# REHEARSE     1: the CPU in the GPU's place, tiny models and no time limits, to see that every step runs
#
# Steps come in the order of their worth, each with a time limit, and write their results as they end. A step that fails
# or runs out of time is named at the end, and the others go on; a benchmark that runs out of time reports what it has.
# An engine whose package is not installed takes no step. The Multi-Scale Adapter has random weights, which
# latency does not depend on. RESULTS/work holds the logs, runs and bundles; the rest is for people.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
all=${SECONDS_ALL:-300} patience=1
nyu=${NYU:-}
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2> /dev/null | head -n 1)

if [ -n "${REHEARSE:-}" ]; then
    gpu=rehearsal patience=10 all=${SECONDS_ALL:-1800}
    msa=(--frames.height 64 --frames.width 64)
    timing=(--seconds 4 --rounds 2 --skip streaming)
    steps=(--device cpu --steps 1 --batch 2 --size 64x64)
elif [ -z "$gpu" ] || ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then
    echo "$python has no PyTorch that sees an NVIDIA GPU here: nothing is measured; set PYTHON to one that has"
    exit 0
else
    msa=() timing=(--seconds $((all / 15))) steps=()
fi

results=$(realpath -m "${1:-benchmarks/results/$(echo "$gpu" | tr -cs '[:alnum:]\n' '-' | tr '[:upper:]' '[:lower:]')}")
work="$results/work"
mkdir -p "$work"
export PYTHONPATH="runtime:train:export:benchmarks${PYTHONPATH:+:$PYTHONPATH}" COLUMNS=150
# ONNX Runtime looks for CUDA and cuDNN beside itself, and not where PyTorch has them.
libraries=$("$python" -c 'import glob, sys; print(*(f for p in sys.path for f in glob.glob(p + "/nvidia/*/lib")), sep=":")')
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
clipdepth=("$python" -m clipdepth) broken=()
: > "$work/failed"

# What a step would miss minutes later.
if ! "$python" -c 'import clipdepth_train.trainer, clipdepth_export.exporter, clipdepth_bench.command' 2> "$work/imports"; then
    echo "$(tail -n 1 "$work/imports"): nothing is measured; install clipdepth[gpu,export,bench] for $python"
    exit 1
fi
engines=(onnxruntime-cuda)
"$python" -c 'import onnxruntime_ep_nv_tensorrt_rtx' 2> /dev/null && engines+=(onnxruntime-rtx)
"$python" -c 'import tensorrt' 2> /dev/null && engines+=(tensorrt)
echo "engines: ${engines[*]}"

step() { # LIMIT NAME COMMAND…: run it for so many seconds at most, keep what it prints, remember whether it failed
    local limit=$(($1 * patience)) name=$2 left=$((all - SECONDS)) began=$SECONDS status stop=(-s TERM)
    [[ $name == bench-* ]] && stop=(--foreground -s INT) # once, on which it reports what it measured until then
    shift 2
    if [ "$left" -lt 5 ]; then
        echo "$name (no time left)" >> "$work/failed"
        return 1
    fi
    timeout "${stop[@]}" -k 10 "$((limit < left ? limit : left))" "$@" > "$work/$name.log" 2>&1
    status=$?
    echo "== $name: exit status $status after $((SECONDS - began)) s, at $SECONDS s"
    [ $status -ne 0 ] && echo "$name ($status)" >> "$work/failed"
    return $status
}

start() { # NAME TRAIN-ARGUMENTS…: a run of the weights that a model starts with, if it is not there
    [ -f "$work/$1/checkpoint.safetensors" ] || step 90 "run-$1" "${clipdepth[@]}" train "${@:2}" --epochs 0 \
        --data rooms --frames.rooms 2 --out "$work/$1"
}

write() { # NAME PRECISION…: that run's bundle, if it is not there
    [ -f "$work/$1.bundle/manifest.json" ] || step 240 "export-$1" "${clipdepth[@]}" export "$work/$1" --precision "${@:2}"
}

verify() { # NAME: each GPU engine's verdict, in a process of its own: a crash would take the benchmark with it
    local engine
    for engine in "${engines[@]}"; do
        step 60 "verify-$1-$engine" "${clipdepth[@]}" verify "$work/$1.bundle" --engine "$engine" \
            --json "$results/verify-$1-$engine.json"
        [ $? -ge 124 ] && broken+=("$engine")
    done
}

build() { # NAME PRECISION…: TensorRT's engines
    local precision
    [[ " ${engines[*]} " == *" tensorrt "* ]] || return
    for precision in "${@:2}"; do
        step 40 "build-$1-$precision" "${clipdepth[@]}" build "$work/$1.bundle" --precision "$precision"
    done
}

bench() { # BUNDLE RUN|- OPTION…; without its run PyTorch's weights are random
    local run=() without=()
    [ "$2" = - ] || run=(--run "$work/$2")
    [ ${#broken[@]} -eq 0 ] || without=(--without "${broken[@]}")
    # A shell in the background has its programs ignore INT.
    step 120 "bench-$1" env --default-signal=INT "${clipdepth[@]}" bench "$work/$1.bundle" "${run[@]}" \
        --skip memory "${timing[@]}" --out "$results/$1" "${@:3}" "${without[@]}"
}

{
    nvidia-smi
    "$python" -m pip list --format freeze
} > "$results/device.txt" 2>&1
"$python" -c 'import sys, torch; print("torch", torch.__version__, sys.path)' >> "$results/device.txt" 2>&1

# What ships comes first: its graphs are there, and doctor has a verdict and a time of each engine in seconds.
cp -rT runtime/clipdepth/bundle/box/edge-nyu "$work/box.bundle"
step 60 doctor "${clipdepth[@]}" doctor "$work/box.bundle" --json "$results/doctor.json"
build box fp16 int8
verify box
bench box - --skip compile
start edge-nyu edge-nyu --start edge-nyu && write edge-nyu fp32
build edge-nyu fp32
verify edge-nyu
bench edge-nyu edge-nyu --skip streaming --without torch.compile
[ -f "$results/edge-nyu/report.json" ] || bench edge-nyu edge-nyu --skip streaming --skip compile
# An export is the CPU's work, for the better part of a minute: half of the cores are enough for steps on the GPU.
half=$(($(nproc) / 2)) export=(env) steps_on=(env)
[ "$half" -gt 1 ] && export=(taskset -c "$half-$((2 * half - 1))") steps_on=(taskset -c "0-$((half - 1))")
(
    clipdepth=("${export[@]}" "${clipdepth[@]}")
    start msa-l1 msa-l1 --model.trunk.weights none "${msa[@]}" && write msa-l1 fp32 fp16
) &
step 60 training-steps "${steps_on[@]}" "$python" benchmarks/experiments/training_step.py "${steps[@]}" \
    --out "$results/training_steps.json"
wait
build msa-l1 fp32 fp16
bench msa-l1 msa-l1 --skip streaming --skip compile --without onnxruntime openvino 'PyTorch folded channels-last'
if [ -n "$nyu" ]; then # until it is told to stop, on which it writes a checkpoint
    left=$((all - SECONDS - 15))
    step "$((left + 10))" train-nyu bash -c 'timeout -s TERM "$@"; [ $? -eq 124 ]' - "$left" "${clipdepth[@]}" train edge-nyu \
        --start edge-nyu --data "$nyu" --mixed-precision bf16 --frames.workers "$(nproc)" --epochs 1000 --out "$work/nyu"
fi

"$python" benchmarks/gpu_summary.py "$results" | tee "$results/summary.txt"
if [ -s "$work/failed" ]; then
    echo "$(wc -l < "$work/failed") steps failed, above with their exit status (124: out of time); logs are in $work"
    exit 1
fi
