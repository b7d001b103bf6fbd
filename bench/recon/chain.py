"""Reconstructs one scan by methods from the literature, in a process of its own.

Writes chi.nii.gz (ppm, mean zero) and given.nii.gz (where it is given) into the output folder.
"""

import argparse
from pathlib import Path

import background
import field
import inversion
import nibabel as nib
import numpy as np
import scan as scans

BACKGROUND = {
    "vsharp": background.vsharp,
    "resharp": background.resharp,
    "pdf": background.pdf,
}
INVERSION = {
    "tkd": inversion.tkd,
    "l2": inversion.closed_form_l2,
    "tv": inversion.tv,
    "nltv": inversion.nonlinear_tv,
    "rts": inversion.rts,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mag", nargs="+", required=True)
    parser.add_argument("--phase", nargs="+", required=True)
    parser.add_argument("--mask", help="brain mask; without it, BET of the first echo")
    parser.add_argument("--background", choices=BACKGROUND, required=True)
    parser.add_argument("--inversion", choices=INVERSION, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()

    scan = scans.read(options.mag, options.phase)
    if options.mask:
        mask = np.asarray(nib.load(options.mask).dataobj) > 0
    else:
        import own_mask

        mask = own_mask.bet(scan)
    total = field.total_field_ppm(scan, mask)
    local, given = BACKGROUND[options.background](total, mask, scan)
    chi = INVERSION[options.inversion](local, given, scan)
    chi = np.where(given, chi - chi[given].mean(), 0).astype(np.float32)
    options.output.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(chi, scan.affine), options.output / "chi.nii.gz")
    nib.save(nib.Nifti1Image(given.astype(np.uint8), scan.affine), options.output / "given.nii.gz")


if __name__ == "__main__":
    main()
