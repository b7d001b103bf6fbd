"""Another laboratory's network: a small 3D U-Net in PyTorch, trained on the cohort, exported as ONNX, run by PyTorch.

    foreign_unet.py train BIDS OUT [STEPS]       OUT/unet.pt, OUT/unet.onnx
    foreign_unet.py maps OUT IMAGES.npy MAPS.npy

BIDS has SWI, QSM and T2w on one grid, label maps (1 CMB, 2 NHID) and brain masks in derivatives/truth. sub-01 to sub-07
are learned from. The images are cut to the brain, QSM is divided by 0.1 ppm, the others have mean 0 and standard deviation 1
in the brain; outside it all are 0. `maps` takes the images (3, x, y, z) as an array and gives the probabilities of CMB
and NHID by windows that overlap by half, weighted by a Gaussian. Needs torch, onnx, onnxscript, nibabel, numpy.
"""

import glob
import itertools
import os
import sys

import nibabel
import numpy as np
import torch
from torch import nn

PATCH = (24, 64, 64)
WIDTHS = (12, 24, 48)
LEARNED_FROM = [f"sub-{n:02}" for n in range(1, 8)]
BATCH = 2


class Block(nn.Sequential):
    def __init__(self, before, after, stride=1):
        layers = []
        for first, channels in ((True, before), (False, after)):
            layers += [
                nn.Conv3d(channels, after, 3, stride if first else 1, 1),
                nn.InstanceNorm3d(after, affine=True),
                nn.LeakyReLU(0.01),
            ]
        super().__init__(*layers)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        channels = (3, *WIDTHS)
        strides = [1] + [2] * (len(WIDTHS) - 1)
        self.down = nn.ModuleList(Block(a, b, s) for a, b, s in zip(channels, WIDTHS, strides))
        pairs = list(zip(WIDTHS[1:], WIDTHS))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose3d(a, b, 2, 2) for a, b in pairs)
        self.after = nn.ModuleList(Block(2 * b, b) for _, b in pairs)
        self.head = nn.Conv3d(WIDTHS[0], 3, 1)

    def forward(self, images):
        seen = []
        for block in self.down:
            images = block(images)
            seen.append(images)
        seen.pop()
        for up, block in zip(self.up, self.after):
            images = block(torch.cat([up(images), seen.pop()], 1))
        return self.head(images)


def subject(folder, name):
    """Images (3, z, y, x) and labels (z, y, x), cut to the brain."""
    load = lambda path: np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj, np.float32)  # noqa: E731
    images = f"{folder}/{name}/anat/{name}_"
    truth = f"{folder}/derivatives/truth/{name}/anat/{name}_"
    brain = load(truth + "desc-brain_mask.nii.gz") > 0
    labels = load(truth + "seg-lesions_dseg.nii.gz").astype(np.int64)
    channels = []
    for ending in ("acq-swi_T2starw", "Chimap", "T2w"):
        image = load(f"{images}{ending}.nii.gz")
        image = image / 0.1 if ending == "Chimap" else (image - image[brain].mean()) / image[brain].std()
        channels.append(np.where(brain, np.clip(image, -8, 8), 0.0))
    box = tuple(slice(at.min(), at.max() + 1) for at in np.nonzero(brain))
    turned = lambda image: np.ascontiguousarray(image[box].transpose(2, 1, 0))  # noqa: E731
    return np.stack([turned(image) for image in channels]), turned(labels)


def batch(subjects, random):
    """Half of the patches around a lesion."""
    images, truths = [], []
    for n in range(BATCH):
        image, labels = subjects[random.integers(len(subjects))]
        lesions = np.argwhere(labels > 0)
        shape = np.array(labels.shape)
        centre = lesions[random.integers(len(lesions))] if n % 2 == 0 and len(lesions) else random.integers(shape)
        start = np.clip(centre - random.integers(PATCH), 0, shape - PATCH)
        part = tuple(slice(a, a + size) for a, size in zip(start, PATCH))
        image, labels = image[(slice(None), *part)], labels[part]
        for axis in (1, 2):
            if random.random() < 0.5:
                image, labels = np.flip(image, axis + 1), np.flip(labels, axis)
        images.append(image.copy())
        truths.append(labels.copy())
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(truths))


def train(folder, out, steps):
    os.makedirs(out, exist_ok=True)
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    subjects = [subject(folder, name) for name in LEARNED_FROM]
    network = UNet()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    weights = torch.tensor([1.0, 20.0, 20.0])
    running = None
    for step in range(1, steps + 1):
        images, truths = batch(subjects, random)
        logits = network(images)
        probabilities = logits.softmax(1)
        wanted = nn.functional.one_hot(truths, 3).movedim(-1, 1)
        both = (probabilities * wanted).sum((0, 2, 3, 4))[1:]
        dice = (2 * both + 1) / (probabilities.sum((0, 2, 3, 4)) + wanted.sum((0, 2, 3, 4)) + 1)[1:]
        loss = nn.functional.cross_entropy(logits, truths, weights) + 1 - dice.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 25 == 0:
            print(step, f"{running:.3f}", flush=True)
            torch.save(network.state_dict(), f"{out}/unet.pt")
    network.eval()
    torch.save(network.state_dict(), f"{out}/unet.pt")
    free = torch.export.Dim.DYNAMIC
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, *PATCH),),
        f"{out}/unet.onnx",
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: free, 2: free, 3: free, 4: free},) if os.environ.get("DYNAMIC") else None,
        external_data=False,
    )


def gaussian():
    """Weights of a window: a Gaussian whose standard deviation is an eighth of each side."""
    sides = [np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / (size / 8)) ** 2) for size in PATCH]
    return np.maximum(sides[0][:, None, None] * sides[1][:, None] * sides[2], 1e-3).astype(np.float32)


def starts(size, window):
    """Evenly spaced, at most half a window apart."""
    if size <= window:
        return [0]
    gaps = int(np.ceil((size - window) / (window / 2)))
    return [n * (size - window) // gaps for n in range(gaps + 1)]


def maps(out, images):
    """Of images (3, x, y, z) the probabilities (2, x, y, z)."""
    network = UNet()
    network.load_state_dict(torch.load(f"{out}/unet.pt"))
    network.eval()
    turned = images.transpose(0, 3, 2, 1)
    shape = np.array(turned.shape[1:])
    padded = np.zeros((3, *np.maximum(shape, PATCH)), np.float32)
    padded[:, : shape[0], : shape[1], : shape[2]] = turned
    sums = np.zeros(padded.shape, np.float64)
    weights = np.zeros(padded.shape[1:], np.float64)
    weight = gaussian()
    for start in itertools.product(*(starts(*sides) for sides in zip(padded.shape[1:], PATCH))):
        part = tuple(slice(a, a + size) for a, size in zip(start, PATCH))
        with torch.no_grad():
            window = torch.from_numpy(padded[(slice(None), *part)][None])
            sums[(slice(None), *part)] += weight * network(window).softmax(1)[0].numpy()
        weights[part] += weight
    found = (sums / weights)[1:, : shape[0], : shape[1], : shape[2]]
    return found.transpose(0, 3, 2, 1).astype(np.float32)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    if sys.argv[1] == "train":
        train(sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 1500)
    else:
        np.save(sys.argv[4], maps(sys.argv[2], np.load(sys.argv[3])))
