"""Requests a second of `clipdepth serve`, from another process, against the engine alone.

    python benchmarks/experiments/runtime/serving.py BUNDLE [--video VIDEO] [--clients 8] [--seconds 10] [--rounds 3]

The engine alone runs pictures at the network's size, one after another in batches of the graph's own largest. Clients
send JPEGs of the video's frames and read depth; each sends its next picture when it has the answer. They run on the
same cores as the service, which is more than clients elsewhere cost.
"""

import http.client
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import cv2
import numpy as np
from figures import Frame, arguments, note, print_heading, print_machine, print_row, real_frames, spread

from clipdepth.camera.resize import resize_frame
from clipdepth.model import DepthModel, load
from clipdepth.web import Address
from clipdepth.web.service import open_service

FORMS = ("png", "npy")


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    frames = real_frames(options.video)
    jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames[:20]]
    print_machine()
    found: dict[str, list[tuple[float, float]]] = {form: [] for form in FORMS}
    with load(options.bundle, engine=options.engine) as model:
        batch = model.bundle.manifest.input.max_batch
        address = Address("127.0.0.1", 0)
        with open_service(address, None, model.bundle.manifest, model.engine, model.precision) as service:
            for number in range(options.rounds):
                note(f"round {number + 1} of {options.rounds}")
                for form in FORMS:
                    # One after the other, so that both see the same machine.
                    alone = engine_alone(model, frames, batch, options.seconds)
                    served = ask_from_another_process(
                        service.address.port, form, jpegs, options.clients, options.seconds
                    )
                    found[form].append((alone, served))
    print_heading("answer", "batch", "engine alone, pictures/s", "served, pictures/s", "share", "n")
    for form, pairs in found.items():
        shares = [served / alone for alone, served in pairs]
        columns = [spread([alone for alone, _ in pairs]), spread([served for _, served in pairs])]
        n = f"{len(pairs)} × {options.seconds:g} s, {options.clients} clients"
        print_row(form, str(batch), *columns, f"{np.median(shares):.0%}", n)


def engine_alone(model: DepthModel, frames: list[Frame], batch: int, seconds: float) -> float:
    """Pictures a second, without anything around the engine."""
    size = model.bundle.manifest.input
    picture = resize_frame(frames[0], size.height, size.width)
    pictures = np.repeat(picture[None], batch, axis=0)
    model.engine.infer(pictures)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        model.engine.infer(pictures)
        done += batch
    return done / (time.perf_counter() - start)


def ask_from_another_process(port: int, form: str, jpegs: list[bytes], clients: int, seconds: float) -> float:
    """Answers a second, counted there."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=ask, args=(port, form, jpegs, clients, seconds, theirs))
    process.start()
    rate = float(ours.recv())
    process.join()
    return rate


def ask(port: int, form: str, jpegs: list[bytes], clients: int, seconds: float, line: Connection) -> None:
    """Ask with so many clients at the same time."""
    end = time.perf_counter() + seconds
    with ThreadPoolExecutor(clients) as pool:
        counts = list(pool.map(lambda number: ask_on(port, form, jpegs, number, end), range(clients)))
    line.send(sum(counts) / seconds)


def ask_on(port: int, form: str, jpegs: list[bytes], number: int, end: float) -> int:
    """Ask on one connection until the end; how many answers came."""
    connection, count = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
    while time.perf_counter() < end:
        connection.request("POST", f"/depth?as={form}", jpegs[(number + count) % len(jpegs)])
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(body)
        count += 1
    connection.close()
    return count


if __name__ == "__main__":
    main()
