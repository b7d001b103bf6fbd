"""What rounding operands to bf16 changes in the probabilities of a model's members.

    python error.py MODEL.deepmir SWI QSM T2w

Needs numpy, nibabel and torch. Skull-stripped images of a voxel size that the model wants; six slices.
A member is rebuilt in PyTorch with its batch norms folded, once in single precision, and once for every
way of rounding the operands of its convolutions; sums stay in single precision.
"""

import json
import struct
import sys
import tarfile

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F

torch.set_grad_enabled(False)
archive = tarfile.open(sys.argv[1])


def load(name):
    data = archive.extractfile(name).read()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for key, value in json.loads(data[8 : 8 + size]).items():
        if key != "__metadata__":
            start, end = value["data_offsets"]
            values = np.frombuffer(data[8 + size + start : 8 + size + end], "<f2")
            tensors[key] = torch.from_numpy(values.astype(np.float32).reshape(value["shape"]))
    return tensors


def slices(files, count=6):
    """Input of some slices and their brain, normalised as the shipped model's plan says."""
    images = [nib.as_closest_canonical(nib.load(f)).get_fdata().astype(np.float32) for f in files]
    brain, normalised = images[0] != 0, []
    for n, image in enumerate(images):
        inside = image[brain]
        low, middle, high = np.quantile(inside, (0.25, 0.5, 0.75))
        scaled = image / 0.1 if n == 1 else (image - middle) / ((high - low) / 1.349)
        normalised.append(np.clip(scaled, -8, 8) * brain)
    (x0, x1), (y0, y1), (z0, z1) = [
        np.flatnonzero(brain.any(tuple({0, 1, 2} - {axis})))[[0, -1]] for axis in range(3)
    ]
    width, height = (x1 - x0 + 16) // 16 * 16, (y1 - y0 + 16) // 16 * 16
    levels = np.linspace(z0 + 8, z1 - 8, count).astype(int)
    inputs = np.zeros((count, 9, height, width), np.float32)
    inside = np.zeros((count, height, width), bool)
    for n, k in enumerate(levels):
        planes = [image[..., k + offset] for image in normalised for offset in (-1, 0, 1)]
        for c, plane in enumerate(planes):
            part = plane[x0 : x0 + width, y0 : y0 + height].T
            inputs[n, c, : part.shape[0], : part.shape[1]] = part
        part = brain[x0 : x0 + width, y0 : y0 + height, k].T
        inside[n, : part.shape[0], : part.shape[1]] = part
    return torch.from_numpy(inputs), torch.from_numpy(inside)


def exact(values):
    return values


def bf16(values):
    return values.bfloat16().float()


A, B = 2**-0.5, 2**0.5
F4 = (  # the points of crates/deepmir-kernels/src/winograd/matrices.rs
    torch.tensor(
        [
            [1, 0, -2.5, 0, 1, 0],
            [0, -B, -2, A, 1, 0],
            [0, B, -2, -A, 1, 0],
            [0, -A, -0.5, B, 1, 0],
            [0, A, -0.5, -B, 1, 0],
            [0, 1, 0, -2.5, 0, 1],
        ]
    ),
    torch.tensor(
        [
            [1, 0, 0],
            [-2 * A / 3, -1 / 3, -A / 3],
            [-2 * A / 3, 1 / 3, -A / 3],
            [B / 6, 1 / 3, B / 3],
            [B / 6, -1 / 3, B / 3],
            [0, 0, 1],
        ]
    ),
    torch.tensor([[1, B, B, A, A, 0], [0, 1, -1, 1, -1, 0], [0, A, A, B, B, 0], [0, 0.5, -0.5, 2, -2, 1]]),
)
F2 = (
    torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
    torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]]),
)


def plain(rounded):
    return lambda x, w, bias: F.conv2d(rounded(x), rounded(w), bias, padding=1)


def winograd(matrices, rounded):
    into, of_weights, out_of = matrices
    outputs, points = out_of.shape

    def convolve(x, w, bias):
        height, width = x.shape[2:]
        padded = F.pad(x, (1, 1 + -width % outputs, 1, 1 + -height % outputs))
        tiles = padded.unfold(2, points, outputs).unfold(3, points, outputs)
        v = rounded(torch.einsum("ij,nchwjk,lk->ilchwn", into, tiles, into))
        u = rounded(torch.einsum("ij,ocjk,lk->iloc", of_weights, w, of_weights))
        _, _, channels, rows, columns, batch = v.shape
        products = torch.bmm(
            u.reshape(points**2, -1, channels), v.reshape(points**2, channels, -1)
        ).reshape(points, points, -1, rows, columns, batch)
        y = torch.einsum("ij,jkohwn,lk->nohiwl", out_of, products, out_of)
        y = y.reshape(batch, -1, rows * outputs, columns * outputs)[:, :, :height, :width]
        return y + bias[None, :, None, None]

    return convolve


def probabilities(member, x, convolve, rounded):
    def block(x, name):
        for i in "12":
            norm, conv = f"{name}.norm{i}", f"{name}.conv{i}"
            scale = member[norm + ".gamma"] / (member[norm + ".running_var"] + 1e-5).sqrt()
            shift = member[conv + ".bias"] - member[norm + ".running_mean"]
            weights = member[conv + ".weight"] * scale[:, None, None, None]
            x = convolve(x, weights, shift * scale + member[norm + ".beta"]).relu()
        return x

    poolings = sum(name.endswith("up.weight") for name in member)
    skips = []
    for level in range(poolings):
        skips.append(block(x, f"encoder.{level}"))
        x = F.max_pool2d(skips[-1], 2)
    x = block(x, f"encoder.{poolings}")
    for level in reversed(range(poolings)):
        up = f"decoder.{level}.up"
        weights = rounded(member[up + ".weight"])
        x = F.conv_transpose2d(rounded(x), weights, member[up + ".bias"], stride=2)
        x = block(torch.cat([skips[level], x], 1), f"decoder.{level}.block")
    return F.conv2d(x, member["head.weight"], member["head.bias"]).softmax(1)


inputs, inside = slices(sys.argv[2:5])
ways = {
    "single precision, Winograd F4": (winograd(F4, exact), exact),
    "bf16, plain": (plain(bf16), bf16),
    "bf16, Winograd F2": (winograd(F2, bf16), bf16),
    "bf16, Winograd F4": (winograd(F4, bf16), bf16),
}
for name in sorted(n for n in archive.getnames() if n.endswith(".safetensors")):
    member = load(name)
    expected = probabilities(member, inputs, plain(exact), exact)
    for way, (convolve, rounded) in ways.items():
        difference = (probabilities(member, inputs, convolve, rounded) - expected).abs().amax(1)
        print(f"{name}, {way}: largest difference {difference[inside].max():.1e}", flush=True)
