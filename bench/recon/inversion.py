"""Dipole inversion of a local field in ppm, each with the settings of its paper or of QSM.rs."""

import numpy as np
from scan import GYROMAGNETIC_RATIO_HZ_PER_T
from scipy.sparse.linalg import LinearOperator, lsmr
from space import Space

PADDING = 16


def tkd(local, mask, scan, threshold=0.19):
    """Thresholded k-space division (Shmueli 2009)."""
    space = Space(mask.shape, scan.voxel_mm, scan.direction, PADDING)
    dipole = space.dipole()
    kept = np.where(np.abs(dipole) < threshold, np.copysign(threshold, dipole), dipole)
    return space.crop(space.back(space.forward(space.pad(local)) / kept))


def closed_form_l2(local, mask, scan):
    """Closed-form L2 of the gradient (Bilgic 2014), regularised where the L-curve bends most."""
    space = Space(mask.shape, scan.voxel_mm, scan.direction, PADDING)
    dipole, smooth = space.dipole(), space.laplacian()
    spectrum = space.forward(space.pad(local))
    # The half spectrum stands for its mirror image too.
    power = np.abs(spectrum) ** 2
    power[..., 1 : (space.shape[2] + 1) // 2] *= 2
    strengths = np.logspace(-4, 0, 25)
    points = []
    for strength in strengths:
        below = dipole**2 + strength * smooth
        below[0, 0, 0] = 1
        residual = np.sum(power * (strength * smooth / below) ** 2, dtype=float)
        roughness = np.sum(power * smooth * (dipole / below) ** 2, dtype=float)
        points.append((np.log(residual) / 2, np.log(roughness) / 2))
    x, y = np.array(points).T
    along = np.log(strengths)
    dx, dy = np.gradient(x, along), np.gradient(y, along)
    bend = np.abs(dx * np.gradient(dy, along) - dy * np.gradient(dx, along))
    best = 2 + int(np.argmax((bend / (dx**2 + dy**2) ** 1.5)[2:-2]))
    below = dipole**2 + strengths[best] * smooth
    below[0, 0, 0] = 1
    print(f"closed-form L2: regularisation {strengths[best]:.1e} mm²")
    return space.crop(space.back(spectrum * dipole / below))


def shrink(value, threshold):
    """Soft threshold."""
    return value - np.clip(value, -threshold, threshold)


def alternate(space, start, inverse, step, threshold, iterations, tolerance):
    """ADMM on an image whose gradient is sparse: returns the image.

    `start` is the spectrum of the data term's right side, `inverse` one over the whole normal
    equation, `step` what the gradient term is multiplied by.
    """
    dual = [np.zeros(space.shape, np.float32) for _ in range(3)]
    target = [np.zeros(space.shape, np.float32) for _ in range(3)]
    image = np.zeros(space.shape, np.float32)
    for _ in range(iterations):
        before = image
        right = start + step * space.forward(space.gradient_adjoint(target))
        image = space.back(right * inverse)
        if np.linalg.norm(image - before) < tolerance * np.linalg.norm(image):
            break
        for axis, part in enumerate(space.gradient(image)):
            moved = part + dual[axis]
            sparse = shrink(moved, np.float32(threshold))
            dual[axis] = moved - sparse
            target[axis] = sparse - dual[axis]
    return image


def tv(local, mask, scan, regularisation=2e-4, penalty=2e-2, iterations=250, tolerance=1e-3):
    """Total variation by ADMM (Bilgic 2014)."""
    space = Space(mask.shape, scan.voxel_mm, scan.direction, PADDING)
    dipole = space.dipole()
    below = dipole**2 + penalty * space.laplacian()
    below[0, 0, 0] = 1
    right = dipole * space.forward(space.pad(local))
    image = alternate(
        space, right, 1 / below, penalty, regularisation / penalty, iterations, tolerance
    )
    return space.crop(image)


def rts(local, mask, scan, threshold=0.15, fidelity=1e5, penalty=10.0, iterations=20):
    """Rapid two-step inversion (Kames 2018): four steps of LSMR, then TV where it is undone."""
    space = Space(mask.shape, scan.voxel_mm, scan.direction, PADDING)
    dipole, size = space.dipole(), int(np.prod(space.shape))

    def field_of(flat):
        return space.back(space.forward(flat.reshape(space.shape)) * dipole).ravel()

    system = LinearOperator((size, size), matvec=field_of, rmatvec=field_of, dtype=np.float32)
    with np.errstate(over="ignore"):  # of its estimate of the condition, which is not used
        found = lsmr(system, space.pad(local).ravel(), maxiter=4, atol=0, btol=0)[0]
    found = np.where(space.pad(mask), found.reshape(space.shape), 0).astype(np.float32)
    held = np.where(np.abs(dipole) > threshold, fidelity, 0).astype(np.float32)
    below = held + penalty * space.laplacian()
    below[0, 0, 0] = 1
    image = alternate(
        space, held * space.forward(found), 1 / below, penalty, 1 / penalty, iterations, 1e-2
    )
    return space.crop(image)


def nonlinear_tv(local, mask, scan, regularisation=2e-4, iterations=150, tolerance=1e-3):
    """Non-linear total variation, weighted by the magnitude (FANSI, Milovic 2018).

    With the settings of the FANSI toolbox; phase is that of the mean echo time.
    """
    space = Space(mask.shape, scan.voxel_mm, scan.direction, PADDING)
    hertz_per_ppm = GYROMAGNETIC_RATIO_HZ_PER_T * scan.field_strength_t * 1e-6
    radians_per_ppm = np.float32(2 * np.pi * hertz_per_ppm * scan.echo_times_s.mean())
    magnitude = np.where(mask, np.linalg.norm(scan.magnitude, axis=-1), 0)
    weight = space.pad((magnitude / magnitude.max()).astype(np.float32)) ** 2
    phase = space.pad(np.where(mask, local, 0).astype(np.float32)) * radians_per_ppm
    dipole, penalty = space.dipole(), np.float32(100 * regularisation)
    below = dipole**2 + penalty * space.laplacian()
    below[0, 0, 0] = 1
    threshold = np.float32(regularisation / penalty)
    # Split: the gradient, and the field (penalty one) with their scaled multipliers.
    edges = [np.zeros(space.shape, np.float32) for _ in range(3)]
    edge_duals = [np.zeros(space.shape, np.float32) for _ in range(3)]
    field, field_dual = weight * phase / (weight + 1), np.zeros(space.shape, np.float32)
    image = np.zeros(space.shape, np.float32)
    for _ in range(iterations):
        before = image
        right = penalty * space.forward(
            space.gradient_adjoint([e - d for e, d in zip(edges, edge_duals, strict=True)])
        )
        right += dipole * space.forward(field - field_dual)
        image = space.back(right / below)
        if np.linalg.norm(image - before) < tolerance * np.linalg.norm(image):
            break
        for axis, part in enumerate(space.gradient(image)):
            moved = part + edge_duals[axis]
            edges[axis] = shrink(moved, threshold)
            edge_duals[axis] = moved - edges[axis]
        made = space.back(space.forward(image) * dipole)
        aim = made + field_dual
        field = aim.copy()
        for _ in range(3):
            apart = field - phase
            slope = np.maximum(weight * np.cos(apart) + 1, np.float32(0.1))
            field -= (weight * np.sin(apart) + field - aim) / slope
        field_dual = aim - field
    return space.crop(image) / radians_per_ppm
