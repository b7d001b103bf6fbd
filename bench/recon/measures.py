"""How near a susceptibility map comes to the truth, over a region."""

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_laplace

SIGMA_VOXELS = 1.5


def without_mean(image, region):
    """The image less its mean over the region, zero outside."""
    return np.where(region, image - image[region].mean(), 0.0)


def line(chi, truth, region):
    """NRMSE, detrended NRMSE (both in per cent), slope and correlation.

    The map is detrended by its slope over the truth, as in the QSM challenge 2.0.
    """
    a = chi[region] - chi[region].mean()
    b = truth[region] - truth[region].mean()
    slope = (a @ b) / (b @ b)
    size = np.linalg.norm(b)
    return {
        "nrmse_percent": 100 * np.linalg.norm(a - b) / size,
        "detrended_percent": 100 * np.linalg.norm(a / slope - b) / size,
        "slope": slope,
        "correlation": (a @ b) / (np.linalg.norm(a) * size),
    }


def hfen_percent(chi, truth, region):
    """High-frequency error norm (Ravishankar 2011): NRMSE after a Laplacian of Gaussian."""
    a, b = (gaussian_laplace(without_mean(image, region), SIGMA_VOXELS) for image in (chi, truth))
    return 100 * np.linalg.norm((a - b)[region]) / np.linalg.norm(b[region])


def xsim(chi, truth, region):
    """XSIM (Milovic 2025) of maps in ppm, both with mean zero: chains differ in their reference."""
    a, b = without_mean(chi, region), without_mean(truth, region)
    window = lambda image: gaussian_filter(image, SIGMA_VOXELS)  # noqa: E731
    mean_a, mean_b = window(a), window(b)
    variance_a = window(a * a) - mean_a**2
    variance_b = window(b * b) - mean_b**2
    covariance = window(a * b) - mean_a * mean_b
    first, second = 0.01**2, 0.001**2
    brightness = (2 * mean_a * mean_b + first) / (mean_a**2 + mean_b**2 + first)
    structure = (2 * covariance + second) / (variance_a + variance_b + second)
    return (brightness * structure)[region].mean()
