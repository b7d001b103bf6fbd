"""Trains preset `paper` in PyTorch, as `deepmir train --preset paper` does, where a card makes it much faster.

    paper.py MODEL CACHE LABEL... [--steps 6000] [--seconds S] [--device cuda]

MODEL is a model's folder and CACHE holds the prepared subjects, both as

    deepmir train DATA -o START --preset paper --steps 1 --batch-size 1 --cache CACHE

leaves them (`START/model`; validation subjects are in the cache only if they were once trained on). LABELs
are the validation subjects; all others of the cache are trained on. Sampling, network, loss and optimiser are the
preset's; convolutions are in TF32. Fifteen validations rate both classes by the F1 of components, and the best
weights replace MODEL's. Thresholds are then for deepmir to choose:

    deepmir train DATA -o OUT --preset paper --init-from MODEL --steps 1 --learning-rate 1e-12 --validation-label LABEL...
"""

import argparse
import hashlib
import math
import multiprocessing
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peers"))
import model  # noqa: E402

BATCH, SIDE, RATE = 32, 256, 1e-3
LESION_SHARE, JITTER, ROTATION_DEGREES = 0.5, 0.35, 178.0
BRAIN = 0x80
CLASSES = {1: "CMB", 2: "NHID"}
SITES = 4096
EVERYWHERE = np.ones((3, 3, 3))
THRESHOLDS = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999]


class Case:
    """A prepared subject: images `[slice, channel, y, x]` and labels `[slice, y, x]`."""

    def __init__(self, path, device):
        self.name = path.name.rpartition("-")[0]
        raw = path.read_bytes()
        assert raw[:16] == b"deepmir case 2\n\n", path
        nx, ny, nz, channels = np.frombuffer(raw, "<u4", 4, 16)
        voxels = int(nx) * int(ny) * int(nz)
        halves = np.frombuffer(raw, "<f2", channels * voxels, 32).reshape(nz, channels, ny, nx)
        marked = np.frombuffer(raw, "u1", voxels, 32 + 2 * channels * voxels).reshape(nz, ny, nx)
        self.labels = marked & ~np.uint8(BRAIN)
        brain = np.argwhere(marked & BRAIN)
        self.brain = brain[:: max(1, len(brain) // SITES)]
        # For each lesion of a class, the middle of its pixels in each of its slices: (slice, y, x).
        self.lesions = {}
        for label in CLASSES:
            numbered, count = ndimage.label(self.labels == label, EVERYWHERE)
            for part, lesion in zip(ndimage.find_objects(numbered), range(1, count + 1), strict=True):
                voxels = np.argwhere(numbered[part] == lesion) + [side.start for side in part]
                slices = [(z, *voxels[voxels[:, 0] == z][:, 1:].mean(0)) for z in np.unique(voxels[:, 0])]
                self.lesions.setdefault(label, []).append(slices)
        self.images = torch.from_numpy(halves.copy()).to(device)
        self.targets = torch.from_numpy(self.labels.copy()).to(device)


def draw(cases, random, device):
    """A step's images `[batch, channel, y, x]` and labels `[batch, y, x]`."""
    sites = {}
    for case in cases:
        for label, lesions in case.lesions.items():
            sites.setdefault(label, []).extend((case, lesion) for lesion in lesions)
    chosen, matrices, centres = [], [], []
    middle = (SIDE - 1) / 2
    for _ in range(BATCH):
        if random.random() < LESION_SHARE:
            of_class = sites[random.choice(sorted(sites))]
            case, slices = of_class[random.integers(len(of_class))]
            z, y, x = slices[random.integers(len(slices))]
        else:
            case = cases[random.integers(len(cases))]
            z, y, x = case.brain[random.integers(len(case.brain))]
        place = SIDE / 2 * (1 + JITTER * random.uniform(-1, 1, 2)) - middle
        angle = math.radians(ROTATION_DEGREES * random.uniform(-1, 1))
        across, along = random.choice([-1.0, 1.0], 2)
        sin, cos = math.sin(angle), math.cos(angle)
        matrix = np.array([[cos * across, -sin * along], [sin * across, cos * along]])
        chosen.append((case, int(z)))
        matrices.append(matrix)
        centres.append(np.array([x, y]) - matrix @ place)
    sides = [case.labels.shape[:0:-1] for case, _ in chosen]
    width, height = (max(side[axis] for side in sides) for axis in (0, 1))
    channels = chosen[0][0].images.shape[1]
    sources = torch.zeros(BATCH, channels, height, width, device=device)
    labels = torch.zeros(BATCH, 1, height, width, device=device)
    for n, ((case, z), (nx, ny)) in enumerate(zip(chosen, sides, strict=True)):
        sources[n, :, :ny, :nx] = case.images[z]
        labels[n, 0, :ny, :nx] = case.targets[z]
    offsets = torch.arange(SIDE, device=device) - middle
    offsets = torch.stack(torch.meshgrid(offsets, offsets, indexing="xy"))
    matrices = torch.tensor(np.stack(matrices), dtype=torch.float32, device=device)
    centres = torch.tensor(np.stack(centres), dtype=torch.float32, device=device)
    at = torch.einsum("nij,jvu->nvui", matrices, offsets) + centres[:, None, None]
    last = torch.tensor(sides, dtype=torch.float32, device=device)[:, None, None] - 1
    inside = ((at >= 0) & (at <= last)).all(-1)
    grid = 2 * at / torch.tensor([width - 1, height - 1], device=device) - 1
    sample = torch.nn.functional.grid_sample
    images = sample(sources, grid, mode="bilinear", align_corners=True) * inside[:, None]
    rounded = ((at.round() >= 0) & (at.round() <= last)).all(-1)
    labels = sample(labels, grid, mode="nearest", align_corners=True)[:, 0] * rounded
    return images, labels.long()


def fresh(channels, poolings, base):
    """The network with Keras' He-normal kernels, cut off at two deviations."""
    net = model.UNet(channels, base, poolings, 1 + len(CLASSES))
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            transposed = isinstance(module, torch.nn.ConvTranspose2d)
            inputs = module.in_channels * (1 if transposed else math.prod(module.kernel_size))
            deviation = math.sqrt(2 / inputs) / 0.879626
            torch.nn.init.trunc_normal_(module.weight, 0, deviation, -2 * deviation, 2 * deviation)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.01
    return net


@torch.inference_mode()
def probabilities(net, case, multiple):
    """Eighths of the log-odds of each class, `[class, slice, y, x]`."""
    net.eval()
    # Each subject has a size of its own.
    torch.backends.cudnn.benchmark = False
    height, width = case.labels.shape[1:]
    padding = (0, -width % multiple, 0, -height % multiple)
    parts = []
    for images in case.images.split(16):
        scores = net(torch.nn.functional.pad(images.float(), padding))[..., :height, :width]
        odds = torch.softmax(scores, 1)[:, 1:].logit(1e-7)
        parts.append((odds * 8).round().clamp(-127, 127).to(torch.int8).cpu())
    net.train()
    torch.backends.cudnn.benchmark = True
    return torch.cat(parts).transpose(0, 1).numpy()


def counts(labels, odds):
    """True lesions, and at each threshold the components and how many of them lie on a lesion each."""
    numbered, truth = ndimage.label(labels, EVERYWHERE)
    found = []
    for threshold in THRESHOLDS:
        components, count = ndimage.label(odds >= 8 * math.log(threshold / (1 - threshold)), EVERYWHERE)
        both = (numbered > 0) & (components > 0)
        found.append((count, min(len(np.unique(numbered[both])), len(np.unique(components[both])))))
    return truth, np.array(found)


def f1(of_cases):
    """The best F1 over the thresholds."""
    truth = sum(true for true, _ in of_cases)
    predicted, matched = sum(found for _, found in of_cases).T
    return (2 * matched / np.maximum(predicted + truth, 1)).max()


def replace_weights(folder, state):
    """Puts trained weights in the place of a model's own."""
    tensors = {
        model.tensor_name(name): tensor.half().contiguous()
        for name, tensor in state.items()
        if model.tensor_name(name)
    }
    data = save(tensors)
    (folder / "weights.safetensors").write_bytes(data)
    settings = (folder / "model.toml").read_text()
    digest = hashlib.sha256(data).hexdigest()
    settings, changed = re.subn(r'sha256 = "[0-9a-f]+"', f'sha256 = "{digest}"', settings)
    assert changed == 1, "MODEL is one network"
    (folder / "model.toml").write_text(settings)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("validation", nargs="*")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop training after this long")
    parser.add_argument("--base", type=int, default=32, help="narrower, to try this script")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    pool = multiprocessing.get_context("spawn").Pool()
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    cases = [Case(path, options.device) for path in sorted(options.cache.glob("*.case"))]
    learned = [case for case in cases if case.name not in options.validation]
    validation = [case for case in cases if case.name in options.validation]
    missing = set(options.validation) - {case.name for case in validation}
    assert not missing, f"{missing} are not in the cache"
    print(f"learning from {len(learned)}, validating on {len(validation)}", flush=True)

    poolings = 5
    net = fresh(cases[0].images.shape[1], poolings, options.base)
    net = net.to(options.device, memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(net.parameters(), RATE, eps=1e-7, fused=options.device == "cuda")
    random = np.random.default_rng(1)
    best, losses, pending = -1.0, 0.0, None
    torch.backends.cudnn.benchmark = True
    began = time.monotonic()

    def settle(pending):
        nonlocal best
        step, state, judged = pending
        scores = judged()
        mean = float(np.mean(scores))
        if mean > best:
            best = mean
            replace_weights(options.model, state)
        print(f"step {step}: F1 {scores[0]:.3f} {scores[1]:.3f}, best mean {best:.3f}", flush=True)

    every = max(options.steps // 15, 1)
    for step in range(1, options.steps + 1):
        images, labels = draw(learned, random, options.device)
        loss = torch.nn.functional.cross_entropy(net(images.contiguous(memory_format=torch.channels_last)), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses = losses + loss.detach()
        late = time.monotonic() - began > options.seconds
        if step % every == 0 or step == options.steps or late:
            if pending:
                settle(pending)
            seconds = time.monotonic() - began
            print(f"step {step}: loss {losses / every:.5f}, {seconds / step:.3f} s a step", flush=True)
            losses = 0.0
            state = {name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()}
            maps = [probabilities(net, case, 1 << poolings) for case in validation]
            # Judged by other cores while training goes on.
            each = [
                pool.starmap_async(
                    counts,
                    [(case.labels == label, odds[label - 1]) for case, odds in zip(validation, maps, strict=True)],
                )
                for label in CLASSES
            ]
            pending = (step, state, lambda each=each: [f1(of_class.get()) for of_class in each])
        if late:
            break
    settle(pending)


if __name__ == "__main__":
    main()
