"""A zero-padded grid with its Fourier transform, dipole kernel and finite differences."""

import os

import numpy as np
from scipy import fft

WORKERS = int(os.environ.get("OMP_NUM_THREADS", "1"))


class Space:
    """The grid of a scan, padded by some voxels to sizes that transform fast."""

    def __init__(self, shape, voxel_mm, direction, padding):
        self.inner = tuple(shape)
        self.shape = tuple(
            fft.next_fast_len(int(n + extra), real=True)
            for n, extra in zip(shape, np.broadcast_to(padding, 3), strict=True)
        )
        self.voxel_mm = np.asarray(voxel_mm, float)
        self.direction = np.asarray(direction, float)

    def pad(self, image):
        after = [(0, outer - inner) for outer, inner in zip(self.shape, self.inner, strict=True)]
        return np.pad(image, after)

    def crop(self, image):
        return image[tuple(slice(0, n) for n in self.inner)]

    def forward(self, image):
        return fft.rfftn(image, workers=WORKERS)

    def back(self, spectrum):
        return fft.irfftn(spectrum, s=self.shape, workers=WORKERS)

    def frequencies(self):
        """Cycles per millimetre along each axis, shaped to broadcast."""
        steps = [fft.fftfreq, fft.fftfreq, fft.rfftfreq]
        made = [step(n, d) for step, n, d in zip(steps, self.shape, self.voxel_mm, strict=True)]
        return np.meshgrid(*made, indexing="ij", sparse=True)

    def dipole(self):
        """Unit dipole, 1/3 - (k.b)²/k², 0 at the origin (Salomir 2003, Marques 2005)."""
        k = self.frequencies()
        square = sum(axis**2 for axis in k)
        square[0, 0, 0] = 1
        along = sum(axis * part for axis, part in zip(k, self.direction, strict=True))
        kernel = 1 / 3 - along**2 / square
        kernel[0, 0, 0] = 0
        return kernel.astype(np.float32)

    def laplacian(self):
        """Squared finite differences (per mm²), summed over the axes."""
        k = self.frequencies()
        each = [
            (2 - 2 * np.cos(2 * np.pi * axis * size)) / size**2
            for axis, size in zip(k, self.voxel_mm, strict=True)
        ]
        return sum(each).astype(np.float32)

    def gradient(self, image):
        """Forward differences per millimetre along each axis, periodic."""
        return [
            (np.roll(image, -1, axis) - image) / np.float32(self.voxel_mm[axis])
            for axis in range(3)
        ]

    def gradient_adjoint(self, parts):
        """Adjoint of `gradient`."""
        return sum(
            (np.roll(parts[axis], 1, axis) - parts[axis]) / np.float32(self.voxel_mm[axis])
            for axis in range(3)
        )

    def ball(self, radius_mm):
        """Spectrum of the mean over a ball, and how many voxels the ball has."""
        offsets = [
            np.minimum(np.arange(n), n - np.arange(n)) * size
            for n, size in zip(self.shape, self.voxel_mm, strict=True)
        ]
        x, y, z = np.meshgrid(*offsets, indexing="ij", sparse=True)
        inside = x**2 + y**2 + z**2 <= radius_mm**2
        count = int(inside.sum())
        return self.forward(inside.astype(np.float32) / np.float32(count)).real, count
