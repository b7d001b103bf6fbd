"""The command, progress, Ctrl-C, threads, panics and types."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import deepmir
from deepmir import _deepmir
from conftest import command


def test_the_command_is_the_command_line(tmp_path):
    done = command("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"deepmir {deepmir.__version__}")
    module = subprocess.run([sys.executable, "-m", "deepmir", "--version"], capture_output=True, text=True)
    assert module.stdout == done.stdout
    wrong = command("predict", "--no-such-option")
    assert wrong.returncode == 1 and "--no-such-option" in wrong.stderr
    missing = command("predict", "--swi", tmp_path / "missing.nii", "-o", tmp_path)
    assert missing.returncode == 1 and missing.stderr.startswith("error: ")
    shell = command("completions", "bash")
    assert shell.returncode == 0 and shell.stdout.rstrip().endswith("fi")
    odd = os.fsencode(tmp_path) + b"/\xff.nii"
    program = Path(sysconfig.get_path("scripts")) / "deepmir"
    done = subprocess.run(
        [program, b"predict", b"--swi", odd, b"-o", os.fsencode(tmp_path)], capture_output=True
    )
    assert done.returncode == 1 and b"there is no such file" in done.stderr


def test_an_interrupt_ends_the_command(tmp_path):
    program = Path(sysconfig.get_path("scripts")) / "deepmir"
    process = subprocess.Popen([program, "phantom", tmp_path / "heads"], stderr=subprocess.PIPE)
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    process.wait(timeout=20)
    assert time.monotonic() - begun < 2
    assert process.returncode in (-signal.SIGINT, 130)


def test_progress_is_told_and_can_stop_the_work(arrays):
    steps = []
    deepmir.predict(**vars(arrays), progress=lambda *step: steps.append(step))
    stage, done, total = steps[-1]
    assert stage == "slices" and done == total and len(steps) > 1
    assert [step[1] for step in steps] == sorted(step[1] for step in steps)

    class Enough(Exception):
        pass

    told = []

    def stop(*step: object) -> None:
        told.append(step)
        raise Enough("at the first")

    with pytest.raises(Enough, match="at the first"):
        deepmir.predict(**vars(arrays), progress=stop)
    assert len(told) == 1
    # Nothing is left in a state that breaks what follows.
    deepmir.predict(**vars(arrays))


SLOW = """
import signal, sys, numpy as np, deepmir
# Jobs in the background of a script inherit that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
shape = (160, 192, 120)
affine = np.diag([1.0, 1.0, 1.0, 1.0])
index = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) / 2
inside = (index**2).sum(axis=0) < 70**2
swi = np.where(inside, 100 + np.random.default_rng(0).normal(size=shape), 0)
print("ready", flush=True)
try:
    deepmir.predict(swi=swi, affine=affine, threads=1, flips=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(7)
"""


def test_an_interrupt_ends_a_prediction_within_a_second():
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert process.stdout.readline() == "interrupted\n"
    assert time.monotonic() - begun < 1
    assert process.wait(timeout=20) == 7


def test_other_threads_run_meanwhile(arrays):
    counted, over = [0], threading.Event()

    def count() -> None:
        while not over.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    deepmir.predict(**vars(arrays), threads=1)
    over.set()
    thread.join()
    assert counted[0] > 20


def test_predictions_in_several_threads_and_after_a_fork(arrays):
    wanted = deepmir.predict(**vars(arrays)).probabilities["CMB"]
    results = [None, None]

    def predict(n: int) -> None:
        results[n] = deepmir.predict(**vars(arrays)).probabilities["CMB"]

    threads = [threading.Thread(target=predict, args=(n,)) for n in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(np.array_equal(result, wanted) for result in results)
    child = os.fork()
    if child == 0:
        same = np.array_equal(deepmir.predict(**vars(arrays)).probabilities["CMB"], wanted)
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(_deepmir, "panic"), reason="a release has no function that panics")
def test_a_panic_is_an_ordinary_exception(capfd):
    with pytest.raises(deepmir.InternalError, match="(?s)internal error.*lib.rs.*on purpose.*report it"):
        _deepmir.panic()
    assert capfd.readouterr().err == ""


def test_the_package_is_typed():
    folder = Path(deepmir.__file__).parent
    assert (folder / "py.typed").is_file() and (folder / "_deepmir.pyi").is_file()
    for name in deepmir.__all__:
        if name not in ("__version__", "ImageLike"):
            assert getattr(deepmir, name).__doc__, name


def test_errors_are_of_the_usual_kinds():
    assert issubclass(deepmir.DeepmirError, ValueError)
    assert issubclass(deepmir.NotFoundError, FileNotFoundError)
    assert issubclass(deepmir.WrongTypeError, TypeError)
    assert issubclass(deepmir.InternalError, deepmir.DeepmirError)
