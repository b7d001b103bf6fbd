"""Runs our network and its peers alternately, checks that they agree, and reports the ratios."""

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
CLASSES = 3
AGREEMENT = 1e-3


@dataclass
class Case:
    """One comparison: the same weights and images for everyone."""

    name: str
    title: str
    mode: str
    base: int
    poolings: int
    batch: int
    size: int
    rounds: int
    peers: list

    def numbers(self):
        return [str(n) for n in (self.base, self.poolings, self.batch, self.size)]


@dataclass
class Result:
    """What one contestant did in one case."""

    name: str
    seconds: list = field(default_factory=list)
    memory_mb: float = 0.0
    output: np.ndarray | None = None

    def milliseconds(self, batch):
        return 1000 * statistics.median(self.seconds) / batch


class Worker:
    """A contestant in a process of its own."""

    def __init__(self, command, cpu_time=False):
        self.cpu_time = cpu_time
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{' '.join(map(str, command))} did not start")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"no answer to {command}")
        return answer

    def run(self):
        """Seconds that a run took, by the clock or of processors."""
        before = self.cpu_seconds()
        seconds = float(self.ask("run"))
        return self.cpu_seconds() - before if self.cpu_time else seconds

    def cpu_seconds(self):
        """What the process has had of processors so far, as `clock_getcpuclockid` would say."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def cpu_has(flag):
    return any(flag in line.split() for line in Path("/proc/cpuinfo").read_text().splitlines())


def contestants(quick):
    """Cases of the table, with the peers that each is measured against."""
    bf16 = cpu_has("avx512_bf16") or cpu_has("amx_bf16")
    python = lambda script, variant: [sys.executable, str(HERE / f"worker_{script}.py"), variant]  # noqa: E731
    infer = [
        ("OpenVINO f32", python("openvino", "f32")),
        *([("OpenVINO bf16", python("openvino", "bf16"))] if bf16 else []),
        ("ONNX Runtime", python("onnxruntime", "f32")),
        ("PyTorch", python("torch", "channels_last")),
        *([("PyTorch bf16", python("torch", "bf16"))] if bf16 else []),
        ("TensorFlow-Keras", python("keras", "f32")),
    ]
    train = [
        ("PyTorch channels-last", python("torch", "channels_last")),
        *([] if quick else [("PyTorch eager", python("torch", "eager"))]),
        *([] if quick else [("TensorFlow-Keras", python("keras", "f32"))]),
    ]
    few = 1 if quick else 3
    return [
        Case("infer_1", "inference, 256×256, batch 1", "infer", 32, 5, 1, 256, 9 * few, infer),
        Case("infer_8", "inference, 256×256, batch 8", "infer", 32, 5, 8, 256, 4 * few, infer),
        Case("train_256", "training, 256×256, base 32, batch 4", "train", 32, 5, 4, 256, 5 * few, train),
        Case("train_128", "training, 128×128, base 16, batch 4", "train", 16, 4, 4, 128, 16 * few, train),
    ]


def prepare(case, folder):
    """Writes weights and images, and the network as ONNX, in a process whose memory is not ours."""
    import model
    import torch

    net = model.create(case.base, case.poolings)
    model.save(net, folder)
    torch.manual_seed(1)
    images = torch.randn(case.batch, 3, case.size, case.size)
    images.numpy().astype("<f4").tofile(folder / "input.bin")
    labels = torch.randint(0, CLASSES, (case.batch, case.size, case.size))
    labels.numpy().astype("<f4").tofile(folder / "labels.bin")
    if case.mode == "infer":
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs onnxscript
        file = folder / f"network-{case.batch}.onnx"
        torch.onnx.export(model.Probabilities(net.eval()), (images,), file, dynamo=False)


def measure(case, folder, cpu_time):
    """All contestants of a case, one run each in turn."""
    ours = [os.environ["PEERS_OURS"], case.mode, str(folder), *case.numbers()]
    commands = {"deepmir": ours}
    for name, (interpreter, script, variant) in case.peers:
        commands[name] = [interpreter, script, case.mode, str(folder), *case.numbers(), variant]
    results = {name: Result(name) for name in commands}
    workers = {name: Worker(command, cpu_time) for name, command in commands.items()}
    for worker in workers.values():
        worker.ask("run")
    for _ in range(case.rounds):
        for name, worker in workers.items():
            results[name].seconds.append(worker.run())
    for name, worker in workers.items():
        results[name].memory_mb = float(worker.ask("memory"))
        worker.ask(f"output {folder / 'output.bin'}")
        results[name].output = np.fromfile(folder / "output.bin", dtype="<f4")
        worker.close()
    return results


def disagreements(case, results):
    """Names of contestants whose outputs differ too much from PyTorch's, with by how much."""
    found = []
    for name, result in results.items():
        if case.mode == "infer":
            difference = np.abs(result.output - results["PyTorch"].output).max()
            print(f"  {name}: largest difference to PyTorch {difference:.1e}", file=sys.stderr)
            if difference > AGREEMENT and "bf16" not in name:
                found.append(f"{case.name}: {name} differs by {difference:.1e}")
        elif name == "deepmir":
            a, b = result.output, results["PyTorch channels-last"].output
            cosine = float(a @ b / np.sqrt((a @ a) * (b @ b)))
            print(f"  gradients: cosine to PyTorch {cosine:.6f}", file=sys.stderr)
            if cosine < 0.999:
                found.append(f"{case.name}: gradients have cosine {cosine:.4f} to PyTorch's")
    return found


def sgemm_ceiling():
    """GFLOP/s of a plain matrix product, by the crate `gemm`."""
    size, worker = 1536, Worker([os.environ["PEERS_OURS"], "sgemm", "-", "1536", "0", "0", "0"])
    seconds = min(float(worker.ask("run")) for _ in range(10))
    worker.close()
    return 2 * size**3 / seconds / 1e9


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def machine(ceiling):
    sets = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if cpu_has(flag)]
    threads = os.environ["OMP_NUM_THREADS"]
    return (
        f"{cpu_name()} ({', '.join(sets)}), {threads} threads of {os.cpu_count()} processors; "
        f"a plain sgemm reaches {ceiling:.0f} GFLOP/s"
    )


def table(cases, all_results):
    rows = ["| work | who | ms a slice | ours ÷ theirs | peak memory MB | ours ÷ theirs |"]
    rows.append("|---|---|---:|---:|---:|---:|")
    for case in cases:
        results = all_results[case.name]
        ours = results["deepmir"]
        for result in results.values():
            time, memory = result.milliseconds(case.batch), result.memory_mb
            ratios = ("", "")
            if result is not ours:
                ratios = (
                    f"{ours.milliseconds(case.batch) / time:.2f}",
                    f"{ours.memory_mb / memory:.2f}",
                )
            row = (case.title, result.name, f"{time:.1f}", ratios[0], f"{memory:.0f}", ratios[1])
            rows.append("| " + " | ".join(row) + " |")
    return "\n".join(rows)


def ratios(all_results):
    def ratio(case, peer, value=lambda result: statistics.median(result.seconds)):
        results = all_results[case]
        return value(results["deepmir"]) / value(results[peer])

    infer = ("infer_1", "infer_8")
    train = ("train_256", "train_128")
    best = "OpenVINO bf16" if "OpenVINO bf16" in all_results["infer_1"] else "OpenVINO f32"
    memory = lambda result: result.memory_mb  # noqa: E731
    return {
        "infer_f32": max(ratio(case, "OpenVINO f32") for case in infer),
        "infer_best": max(ratio(case, best) for case in infer),
        **{case: ratio(case, "PyTorch channels-last") for case in train},
        "memory": max(
            *(ratio(case, peer, memory) for case in infer for peer in {"OpenVINO f32", best}),
            *(ratio(case, "PyTorch channels-last", memory) for case in train),
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer peers")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="time had of processors instead of passed, for a machine that others use too; "
        "wants OMP_NUM_THREADS=1, since threads that wait for others may count",
    )
    parser.add_argument("--report", type=Path, default=HERE.parents[1] / "docs/results/speed.md")
    options = parser.parse_args()

    cases, all_results, problems = contestants(options.quick), {}, []
    for case in cases:
        print(case.title, file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            # In a process of its own: PyTorch's threads would disturb what is measured.
            child = os.fork()
            if child == 0:
                prepare(case, Path(folder))
                os._exit(0)
            if os.waitpid(child, 0)[1] != 0:
                return f"could not prepare {case.title}"
            all_results[case.name] = measure(case, Path(folder), options.cpu_time)
        problems += disagreements(case, all_results[case.name])

    line = "RATIOS " + " ".join(f"{k}={v:.2f}" for k, v in ratios(all_results).items())
    described, text = machine(sgemm_ceiling()), table(cases, all_results)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    # What was written by hand below the table stays.
    before = options.report.read_text() if options.report.exists() else ""
    _, heading, sections = before.partition("\n## ")
    options.report.write_text(
        f"# Speed of the reference network\n\n"
        f"{datetime.date.today()}, {described}.\n\n"
        f"Medians of alternate runs on the same weights and images (`bench/peers/run"
        f"{' --quick' if options.quick else ''}{' --cpu-time' if options.cpu_time else ''}`). The weights are numbers of half precision, as those "
        f"of a model from a file are; everyone gets the same. A training step is a forward and a "
        f"backward pass with cross-entropy. Peak memory is the largest resident size of the "
        f"process.\n\n"
        f"{text}\n\n`{line}`\n{heading}{sections}"
    )
    print(described)
    print(text)
    print(line)
    return "\n".join(problems) or 0


if __name__ == "__main__":
    sys.exit(main())
