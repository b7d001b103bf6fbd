"""Brain mask by BET (Smith 2002), as the package brainextractor has it."""

import nibabel as nib
import numpy as np
from brainextractor import BrainExtractor
from scipy.ndimage import affine_transform

STEP_MM = 1.0


def bet(scan):
    """Mask from the first echo's magnitude, on voxels of 1 mm since BET wants equal sides."""
    size = scan.voxel_mm / STEP_MM
    shape = tuple(np.ceil(np.array(scan.magnitude.shape[:3]) * size).astype(int))
    even = affine_transform(scan.magnitude[..., 0], 1 / size, output_shape=shape, order=1)
    extractor = BrainExtractor(nib.Nifti1Image(even, np.diag([STEP_MM] * 3 + [1.0])))
    extractor.run()
    mask = np.asarray(extractor.compute_mask(), np.float32)
    return affine_transform(mask, size, output_shape=scan.magnitude.shape[:3], order=1) > 0.5
