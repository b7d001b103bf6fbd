"""What every worker written in Python shares: commands on standard input, answers on standard
output, as `peer_worker.rs` has it."""

import sys
import time
from pathlib import Path

import numpy as np

CLASSES = 3
INPUTS = 3


def threads():
    import os

    return int(os.environ.get("OMP_NUM_THREADS", "2"))


def read_input(folder, batch, size):
    values = np.fromfile(Path(folder) / "input.bin", dtype="<f4")
    return values[: batch * INPUTS * size * size].reshape(batch, INPUTS, size, size).copy()


def read_labels(folder, batch, size):
    values = np.fromfile(Path(folder) / "labels.bin", dtype="<f4")
    return values[: batch * size * size].reshape(batch, size, size).astype(np.int64)


def peak_memory_mb():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def serve(run, output):
    """Runs `run()` on demand; `output()` gives what to write, as an array."""
    answers = sys.stdout
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "run":
            started = time.perf_counter()
            run()
            answer = time.perf_counter() - started
        elif command == "output":
            np.ascontiguousarray(output(), dtype="<f4").tofile(rest)
            answer = "written"
        elif command == "memory":
            answer = peak_memory_mb()
        else:
            raise ValueError(f"no command {line}")
        print(answer, file=answers, flush=True)
