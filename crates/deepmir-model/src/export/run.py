"""From NIfTI images and a brain mask to probability maps, with the networks in this folder.

    python run.py --swi SWI.nii.gz --qsm QSM.nii.gz --t2w T2w.nii.gz --mask BRAIN.nii.gz -o OUT

writes OUT/probability_CLASS.nii.gz for each class, on the grid of the images. Does what `deepmir predict` does up
to its probability maps, without test-time augmentation. Needs numpy, nibabel and onnxruntime.

All images share one grid. QSM is in ppm, paramagnetic positive; the mask is 0 outside the brain and 1 inside, without
holes.
"""

import argparse
import json
from pathlib import Path

import nibabel
import numpy as np
import onnxruntime

FOLDER = Path(__file__).resolve().parent
MARGIN_MM = 6.0
# Voxel sizes that differ by a smaller share are not resampled, nor smoothed.
SAME_SPACING = 0.05
FWHM_PER_SIGMA = 2.3548200450309493
RAS = np.array([[0, 1], [1, 1], [2, 1]])


def mirror(index, length, edge):
    """An index mirrored on the outermost voxel centres (edge 0) or faces (edge 1)."""
    period = max(2 * (length - 1 + edge), 1)
    index = np.mod(index, period)
    return np.minimum(index, period - edge - index)


def places(length, size, spacing, count):
    """Fractional indices on an axis of `length` voxels of `size`: `count` voxels of `spacing` about its middle."""
    at = (np.arange(count) - (count - 1) / 2) * spacing / size + (length - 1) / 2
    return np.round(at, 9)


def nearest(at, length):
    return np.clip(np.floor(at + 0.5).astype(int), 0, length - 1)


def gaussian(length, sigma):
    """Smoothing along an axis as a matrix; `sigma` in voxels."""
    matrix = np.zeros((length, length))
    offsets = np.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    for row in range(length):
        np.add.at(matrix[row], mirror(row + offsets, length, 1), kernel / kernel.sum())
    return matrix


def cubic_weights(at, length):
    base = np.floor(at)
    b = at - base
    a = 1 - b
    weights = [a**3 / 6, 2 / 3 - b * b * (2 - b) / 2, 2 / 3 - a * a * (2 - a) / 2, b**3 / 6]
    matrix = np.zeros((len(at), length))
    for tap, weight in enumerate(weights):
        np.add.at(matrix, (np.arange(len(at)), mirror(base.astype(int) - 1 + tap, length, 0)), weight)
    return matrix


def linear_weights(at, length):
    low = at.astype(int)
    matrix = np.zeros((len(at), length))
    np.add.at(matrix, (np.arange(len(at)), low), 1 - (at - low))
    np.add.at(matrix, (np.arange(len(at)), np.minimum(low + 1, length - 1)), at - low)
    return matrix


def interpolation(at, length, cubic):
    """Interpolation along an axis as a matrix: zero more than half a voxel beyond the outermost centres."""
    inside = (at >= -0.5 - 1e-4) & (at <= length - 0.5 + 1e-4)
    at = np.clip(at, 0, length - 1)
    if cubic:
        # Weights on coefficients, which the spline's own values at the voxels give.
        own = cubic_weights(np.arange(float(length)), length)
        matrix = np.linalg.solve(own.T, cubic_weights(at, length).T).T
    else:
        matrix = linear_weights(at, length)
    return matrix * inside[:, None]


def along_axes(volume, matrices):
    for axis, matrix in enumerate(matrices):
        volume = np.moveaxis(np.tensordot(matrix, volume, axes=(1, axis)), 0, axis)
    return volume.astype(np.float32)


class Grid:
    """The part of the image around the brain, in RAS order, and the grid that it is resampled to."""

    def __init__(self, affine, brain, voxel_mm):
        self.orientation = nibabel.io_orientation(affine)
        own_sizes = nibabel.affines.voxel_sizes(affine)
        self.sizes = np.array([own_sizes[list(self.orientation[:, 0]).index(axis)] for axis in range(3)])
        brain = self.to_ras(brain)
        if not brain.any():
            raise SystemExit("the brain mask is empty")
        self.shape = brain.shape
        inside = [np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        margin = np.ceil(MARGIN_MM / self.sizes).astype(int)
        self.part = tuple(
            slice(max(there[0] - more, 0), min(there[-1] + 1 + more, length))
            for there, more, length in zip(inside, margin, self.shape)
        )
        own = np.array([part.stop - part.start for part in self.part])
        self.spacing, self.count = self.sizes, own
        differ = voxel_mm is not None and np.abs(np.array(voxel_mm) / self.sizes - 1) > SAME_SPACING
        self.resampled = bool(np.any(differ))
        if self.resampled:
            self.spacing = np.array(voxel_mm)
            self.count = np.maximum(np.floor(own * self.sizes / self.spacing + 0.5).astype(int), 1)
        self.own = own
        self.at = [places(*axis) for axis in zip(own, self.sizes, self.spacing, self.count)]

    def to_ras(self, volume):
        return nibabel.apply_orientation(volume, self.orientation)

    def cut(self, volume):
        return self.to_ras(volume)[self.part]

    def labels(self, volume):
        return volume[np.ix_(*(nearest(at, length) for at, length in zip(self.at, self.own)))]

    def image(self, volume):
        """An image as the network takes it: smoothed where voxels become larger, then a cubic B-spline."""
        if not self.resampled:
            return volume.astype(np.float32)
        matrices = []
        for at, length, size, spacing in zip(self.at, self.own, self.sizes, self.spacing):
            matrix = interpolation(at, length, cubic=True)
            if spacing > (1 + SAME_SPACING) * size and length > 1:
                matrix = matrix @ gaussian(length, np.sqrt(spacing**2 - size**2) / FWHM_PER_SIGMA / size)
            matrices.append(matrix)
        return along_axes(volume, matrices)

    def restore(self, volume):
        """A map on the image's own grid and in its orientation."""
        whole = np.zeros(self.shape, np.float32)
        if self.resampled:
            axes = zip(self.count, self.spacing, self.sizes, self.own)
            volume = along_axes(volume, [interpolation(places(*axis), axis[0], cubic=False) for axis in axes])
        whole[self.part] = volume
        return nibabel.apply_orientation(whole, nibabel.orientations.ornt_transform(RAS, self.orientation))


def normalise(image, brain, method, whole):
    clip, keep_outside = method.get("clip", np.inf), False
    if method["method"] == "robust-brain":
        low, offset, high = np.quantile(image[brain], [0.25, 0.5, 0.75])
        scale = (high - low) / 1.349
    elif method["method"] == "fixed-scale":
        offset, scale = 0.0, method["scale_ppm"]
    else:
        offset, scale, keep_outside = whole.mean(dtype=float), whole.std(dtype=float), True
    if not scale > 0:
        raise SystemExit("an image is the same everywhere in the brain")
    image = np.clip((image - np.float32(offset)) / np.float32(scale), -clip, clip)
    return image if keep_outside else np.where(brain, image, np.float32(0))


def prepare(images, brain, grid, plan):
    """The images as the networks take them: `[input, x, y, z]`, and the brain."""
    brain = grid.labels(grid.cut(brain))
    prepared = []
    for name, method in zip(plan["inputs"], plan["normalisation"]):
        if name not in images:
            prepared.append(np.zeros(brain.shape, np.float32))
            continue
        own = grid.cut(images[name])
        image = grid.image(own)
        if name == "QSM" and grid.resampled:
            # A susceptibility of exactly zero is unmapped: the spline rings at that edge.
            image[~grid.labels(own != 0)] = 0
        prepared.append(normalise(image, brain, method, images[name]))
    return np.stack(prepared).astype(np.float32), brain


def probabilities(prepared, brain, settings, threads):
    """`[class, x, y, z]`: the median of the networks, slice by slice with its neighbours as channels."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    networks = [
        onnxruntime.InferenceSession(str(FOLDER / name), options, providers=["CPUExecutionProvider"])
        for name in settings["networks"]
    ]
    plan, multiple = settings["plan"], settings["size_multiple"]
    context, (_, nx, ny, nz) = plan["context_slices"], prepared.shape
    maps = np.zeros((len(plan["classes"]), nx, ny, nz), np.float32)
    first_class = 1 if settings["architecture"]["output"] == "softmax" else 0
    for k in np.flatnonzero(brain.any(axis=(0, 1))):
        neighbours = np.clip(np.arange(k - context // 2, k + context // 2 + 1), 0, nz - 1)
        planes = prepared[:, :, :, neighbours].transpose(0, 3, 2, 1).reshape(-1, ny, nx)
        padding = ((0, 0), (0, -ny % multiple), (0, -nx % multiple))
        feed = {"images": np.pad(planes, padding)[None]}
        found = np.median([network.run(["probabilities"], feed)[0][0] for network in networks], axis=0)
        maps[:, :, :, k] = found[first_class:, :ny, :nx].transpose(0, 2, 1)
    return maps * brain


def main():
    settings = json.loads((FOLDER / "plan.json").read_text())
    plan = settings["plan"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in plan["inputs"]:
        parser.add_argument(f"--{name.lower()}", dest=name, required=name not in plan.get("optional", []))
    parser.add_argument("--mask", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=0)
    arguments = vars(parser.parse_args())
    files = {name: arguments[name] for name in plan["inputs"] if arguments[name]}
    images = {name: nibabel.load(path) for name, path in files.items()}
    reference = next(iter(images.values()))
    mask = nibabel.load(arguments["mask"])
    for image in [*images.values(), mask]:
        if image.shape != reference.shape or not np.allclose(image.affine, reference.affine, atol=1e-3):
            raise SystemExit("images and mask must share one grid")
    values = {name: image.get_fdata(dtype=np.float32) for name, image in images.items()}
    brain = mask.get_fdata() > 0.5
    grid = Grid(reference.affine, brain, plan.get("voxel_mm"))
    prepared, brain = prepare(values, brain, grid, plan)
    maps = probabilities(prepared, brain, settings, arguments["threads"])
    arguments["output"].mkdir(parents=True, exist_ok=True)
    for name, found in zip(plan["classes"], maps):
        image = nibabel.Nifti1Image(grid.restore(found), reference.affine)
        nibabel.save(image, arguments["output"] / f"probability_{name}.nii.gz")


if __name__ == "__main__":
    main()
