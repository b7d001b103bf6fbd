"""What the false microbleeds are, and how large the missed ones: what `inputs.py` found beside what the phantoms drew.

    errors.py PHANTOMS OUT SET...

PHANTOMS and OUT as with inputs.py, after it. A false component of at least 1 mm³ is the drawn source whose surface is
nearest, if that is less than 2 mm away. "not in the candidates": no candidate overlaps the lesion, so no threshold would
have found it. Needs Python 3 with numpy, scipy and nibabel.
"""

import csv
import glob
import os
import sys
from collections import Counter

import nibabel
import numpy as np
from inputs import conditions
from scipy import ndimage
from table import LEAST_MM3, one, range_of

CMB = 1
DIAMETERS_MM = (2.5, 3.5, 5)


def components(image):
    """Components of microbleeds of at least 1 mm³: voxels of each, and its centre in millimetres."""
    pieces, _ = ndimage.label(np.asarray(image.dataobj) == CMB, np.ones((3, 3, 3)))
    voxel_mm3 = abs(np.linalg.det(image.affine[:3, :3]))
    for number, place in enumerate(ndimage.find_objects(pieces), 1):
        voxels = np.argwhere(pieces[place] == number) + [side.start for side in place]
        if len(voxels) * voxel_mm3 >= LEAST_MM3:
            yield tuple(voxels.T), nibabel.affines.apply_affine(image.affine, voxels.mean(axis=0))


def main():
    phantoms, out, *sets = sys.argv[1:]
    for name in sets:
        false, true, missed, beyond = Counter(), Counter(), Counter(), Counter()
        for condition in conditions(phantoms):
            for path in sorted(glob.glob(f"{phantoms}/{condition}/sub-*")):
                old = os.path.basename(path)
                new = "sub-" + condition.replace("-", "") + old[len("sub-"):]
                found = one(f"{out}/predicted/{name}/{new}/**/{new}_*seg-lesions_dseg.nii.gz")
                if found is None:
                    continue
                candidates = one(f"{out}/predicted/{name}/{new}/**/{new}_*candidates.nii.gz")
                candidates = np.asarray(nibabel.load(candidates).dataobj) > 0
                truth = f"{phantoms}/{condition}/derivatives/truth/{old}/anat/{old}"
                with open(f"{truth}_desc-sources_list.tsv", newline="") as table:
                    sources = [row for row in csv.DictReader(table, delimiter="\t") if row["change"] != "vanished"]
                places = np.array([[float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")] for row in sources])
                radii = np.array([float(row["diameter_mm"]) / 2 for row in sources])
                lesion, called = nibabel.load(f"{truth}_seg-lesions_dseg.nii.gz"), nibabel.load(found)
                for voxels, centre in components(called):
                    if not (np.asarray(lesion.dataobj)[voxels] == CMB).any():
                        apart = np.linalg.norm(places - centre, axis=1) - radii
                        nearest = int(apart.argmin())
                        false[sources[nearest]["kind"] if apart[nearest] < 2 else "tissue"] += 1
                own = [n for n, row in enumerate(sources) if row["kind"] == "CMB"]
                for voxels, centre in components(lesion):
                    drawn = own[int(np.linalg.norm(places[own] - centre, axis=1).argmin())]
                    size = range_of(2 * radii[drawn], DIAMETERS_MM, "mm")
                    true[size] += 1
                    if not (np.asarray(called.dataobj)[voxels] == CMB).any():
                        missed[size] += 1
                        beyond[size] += not candidates[voxels].any()
        print(f"{name}: false microbleeds:", ", ".join(f"{count} {kind}" for kind, count in false.most_common()))
        for size in sorted(true):
            share = f"{missed[size]} of {true[size]} missed"
            print(f"  {size}: {share}, {beyond[size]} of them not in the candidates")


if __name__ == "__main__":
    main()
