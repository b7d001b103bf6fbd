"""Background field removal. Each returns the local field and where it is given."""

import numpy as np
from space import Space


def vsharp(field, mask, scan, largest_mm=12.0, smallest_mm=1.0, threshold=0.2):
    """V-SHARP (Wu 2012): radii from 12 to 1 mm in steps of 1 mm, the settings of QSM.rs."""
    space = Space(mask.shape, scan.voxel_mm, scan.direction, np.ceil(largest_mm / scan.voxel_mm))
    brain = space.pad(mask)
    spectrum, mask_spectrum = space.forward(space.pad(field)), space.forward(brain.astype("f4"))
    local, done, largest = np.zeros(space.shape, np.float32), np.zeros(space.shape, bool), None
    for radius in np.arange(largest_mm, smallest_mm - 1e-6, -smallest_mm):
        ball, count = space.ball(radius)
        if count == 1:
            continue
        largest = ball if largest is None else largest
        # A ball that lies inside the mask as a whole.
        whole = brain & (space.back(mask_spectrum * ball) > 1 - 0.5 / count)
        local = np.where(whole & ~done, space.back(spectrum * (1 - ball)), local)
        done |= whole
    high_pass = 1 - largest
    inverse = np.divide(1, high_pass, out=np.zeros_like(high_pass), where=high_pass > threshold)
    local = np.where(done, space.back(space.forward(local) * inverse), 0)
    return space.crop(local), space.crop(done)


def conjugate_gradients(normal, right, iterations, tolerance):
    """Solves normal(x) = right from zero, until the residual has fallen to the tolerance."""
    solution, residual, step = np.zeros_like(right), right.copy(), right.copy()
    square = first = np.vdot(residual, residual)
    for _ in range(iterations):
        if square <= tolerance**2 * first:
            break
        turned = normal(step)
        length = square / np.vdot(step, turned)
        solution += length * step
        residual -= length * turned
        before, square = square, np.vdot(residual, residual)
        step = residual + (square / before) * step
    return solution


def pdf(field, mask, scan, padding=40, iterations=30, tolerance=0.1):
    """PDF (Liu 2011) by conjugate gradients, with the settings of the MEDI toolbox.

    The weights are the first echo's magnitude relative to its mean over the mask.
    """
    space = Space(mask.shape, scan.voxel_mm, scan.direction, padding)
    first = scan.magnitude[..., 0]
    weights = space.pad(np.where(mask, first / first[mask].mean(), 0).astype(np.float32)) ** 2
    outside, dipole = ~space.pad(mask), space.dipole()

    def field_of(sources):
        return space.back(space.forward(sources) * dipole)

    def normal(sources):
        return np.where(outside, field_of(weights * field_of(sources)), 0)

    right = np.where(outside, field_of(weights * space.pad(field)), 0)
    sources = conjugate_gradients(normal, right, iterations, tolerance)
    local = np.where(mask, field - space.crop(field_of(sources)), 0)
    return local.astype(np.float32), mask.copy()


def resharp(field, mask, scan, radius_mm=3.0, tikhonov=1e-3, iterations=200, tolerance=1e-6):
    """RESHARP (Sun and Wilman 2014) by conjugate gradients, with the settings of their program."""
    space = Space(mask.shape, scan.voxel_mm, scan.direction, np.ceil(radius_mm / scan.voxel_mm))
    brain = space.pad(mask)
    ball, count = space.ball(radius_mm)
    high_pass = 1 - ball
    whole = brain & (space.back(space.forward(brain.astype("f4")) * ball) > 1 - 0.5 / count)

    def filtered(image):
        return space.back(space.forward(image) * high_pass)

    def normal(image):
        return filtered(np.where(whole, filtered(image), 0)) + np.float32(tikhonov) * image

    right = filtered(np.where(whole, filtered(space.pad(field)), 0))
    local = conjugate_gradients(normal, right, iterations, tolerance)
    return space.crop(np.where(whole, local, 0)), space.crop(whole)
