"""The phantoms of one condition with something missing or amiss.

    variants.py PHANTOMS CONDITION

Beside PHANTOMS/CONDITION come without-t2w, without-qsm and swi-alone, of links to its images, and masks-tight and
masks-wide: folders of its brain masks a ball of 2 mm smaller, and of 4 mm larger.
"""

import glob
import os
import sys

import nibabel
import numpy as np
from scipy import ndimage

MISSING = {"without-t2w": ("T2w",), "without-qsm": ("Chimap",), "swi-alone": ("T2w", "Chimap")}


def main():
    phantoms, condition = sys.argv[1:]
    source = os.path.abspath(f"{phantoms}/{condition}")
    for name, missing in MISSING.items():
        for path in glob.glob(f"{source}/**/*", recursive=True):
            suffix = os.path.basename(path).split(".")[0].split("_")[-1]
            if os.path.isdir(path) or (suffix in missing and "derivatives" not in path):
                continue
            link = f"{phantoms}/{name}/{os.path.relpath(path, source)}"
            os.makedirs(os.path.dirname(link), exist_ok=True)
            if not os.path.lexists(link):
                os.symlink(path, link)
    for path in glob.glob(f"{source}/derivatives/**/*_desc-brain_mask.nii.gz", recursive=True):
        image = nibabel.load(path)
        inside = np.asarray(image.dataobj) > 0
        spacing = image.header.get_zooms()[:3]
        masks = {
            "tight": ndimage.distance_transform_edt(inside, spacing) > 2,
            "wide": ndimage.distance_transform_edt(~inside, spacing) <= 4,
        }
        for name, mask in masks.items():
            folder = f"{phantoms}/masks-{name}"
            os.makedirs(folder, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), image.affine), f"{folder}/{os.path.basename(path)}")


if __name__ == "__main__":
    main()
