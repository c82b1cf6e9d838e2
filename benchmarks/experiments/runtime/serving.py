"""Requests a second of `clipdepth serve`, from another process, against the engine alone.

    python benchmarks/experiments/runtime/serving.py BUNDLE [--video VIDEO] [--clients 8] [--seconds 10] [--rounds 3]

The engine alone runs pictures at the network's size, one after another in batches of the graph's own largest. Clients
send JPEGs of the video's frames, or bare pixels at the network's size, and read depth; each sends its next picture when
it has the answer. They run on the same cores as the service, which is more than clients elsewhere cost. Processor time
of a picture depends less than the rates on other work on the cores.
"""

import http.client
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import NamedTuple

import cv2
import numpy as np
from figures import Frame, arguments, note, print_heading, print_machine, print_row, real_frames, spread

from clipdepth.camera.resize import resize_frame
from clipdepth.model import DepthModel, load
from clipdepth.web import Address
from clipdepth.web.service import open_service

TIMES = "engine alone", "service", "clients"
"""Whose processor time."""


class Request(NamedTuple):
    """What clients send and ask for."""

    sent: str
    target: str
    bodies: list[bytes]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    frames = real_frames(options.video)
    print_machine()
    with load(options.bundle, engine=options.engine) as model:
        batch = model.bundle.manifest.input.max_batch
        requests = requests_of(model, frames[:20])
        found: dict[str, list[tuple[float, ...]]] = {request.sent: [] for request in requests}
        address = Address("127.0.0.1", 0)
        with open_service(address, None, model.bundle.manifest, model.engine, model.precision) as service:
            for number in range(options.rounds):
                note(f"round {number + 1} of {options.rounds}")
                for request in requests:
                    # One after the other, so that both see the same machine.
                    alone = engine_alone(model, frames, batch, options.seconds)
                    served = ask_from_another_process(service.address.port, request, options.clients, options.seconds)
                    found[request.sent].append((*alone, *served))
    rates = "engine alone, pictures/s", "served, pictures/s", "share"
    print_heading("sent, answer", "batch", *rates, *(f"{whose}, ms a picture" for whose in TIMES), "n")
    for sent, rounds in found.items():
        alone, engine, served, service_ms, clients = zip(*rounds, strict=True)
        share = f"{np.median([one / other for one, other in zip(served, alone, strict=True)]):.0%}"
        n = f"{len(rounds)} × {options.seconds:g} s, {options.clients} clients"
        print_row(
            sent, str(batch), spread(alone), spread(served), share, *map(spread, (engine, service_ms, clients)), n
        )


def requests_of(model: DepthModel, frames: list[Frame]) -> list[Request]:
    """Pictures as clients send them, and the answers that they want."""
    jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]
    size = model.bundle.manifest.input
    raw = [resize_frame(frame, size.height, size.width).tobytes() for frame in frames]
    high, wide = frames[0].shape[:2]
    return [
        *(Request(f"{wide}×{high} JPEG, {form.upper()}", f"/depth?as={form}", jpegs) for form in ("png", "npy")),
        Request(f"{size.width}×{size.height} raw, NPY", f"/depth?as=npy&raw={size.height}x{size.width}", raw),
    ]


def engine_alone(model: DepthModel, frames: list[Frame], batch: int, seconds: float) -> tuple[float, float]:
    """Pictures a second, without anything around the engine, and processor time of one, milliseconds."""
    size = model.bundle.manifest.input
    picture = resize_frame(frames[0], size.height, size.width)
    pictures = np.repeat(picture[None], batch, axis=0)
    model.engine.infer(pictures)
    done, start, busy = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        model.engine.infer(pictures)
        done += batch
    return done / (time.perf_counter() - start), 1000 * (time.process_time() - busy) / done


def ask_from_another_process(port: int, request: Request, clients: int, seconds: float) -> tuple[float, float, float]:
    """Answers a second, counted there, and the processor time of one, here and there, milliseconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=ask, args=(port, request, clients, seconds, theirs))
    process.start()
    ours.recv()
    busy = time.process_time()
    count, theirs_s = ours.recv()
    busy = time.process_time() - busy
    process.join()
    return count / seconds, 1000 * busy / count, 1000 * theirs_s / count


def ask(port: int, request: Request, clients: int, seconds: float, line: Connection) -> None:
    """Ask with so many clients at the same time."""
    line.send("ready")
    end, busy = time.perf_counter() + seconds, time.process_time()
    with ThreadPoolExecutor(clients) as pool:
        counts = list(pool.map(lambda number: ask_on(port, request, number, end), range(clients)))
    line.send((sum(counts), time.process_time() - busy))


def ask_on(port: int, request: Request, number: int, end: float) -> int:
    """Ask on one connection until the end; how many answers came."""
    connection, count = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
    while time.perf_counter() < end:
        connection.request("POST", request.target, request.bodies[(number + count) % len(request.bodies)])
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(body)
        count += 1
    connection.close()
    return count


if __name__ == "__main__":
    main()
