"""Total field from the echoes: phase offset and ROMEO by warpkit, then a weighted line."""

import numpy as np
from scan import GYROMAGNETIC_RATIO_HZ_PER_T
from warpkit.unwrap import unwrap_phase


def total_field_ppm(scan, mask):
    """Field in ppm of the main field, zero outside the mask.

    MCPC-3D-S and ROMEO as warpkit has them, then a line through zero over the echo times,
    weighted by the squared magnitude.
    """
    unwrapped, _ = unwrap_phase(
        scan.phase.copy(), scan.magnitude, scan.echo_times_s, mask, automask=False
    )
    times, weights = scan.echo_times_s, scan.magnitude**2
    above = np.sum(weights * times * unwrapped, axis=-1)
    below = np.sum(weights * times**2, axis=-1)
    radians_per_s = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    megahertz = GYROMAGNETIC_RATIO_HZ_PER_T * scan.field_strength_t * 1e-6
    return np.where(mask, radians_per_s / (2 * np.pi * megahertz), 0).astype(np.float32)
