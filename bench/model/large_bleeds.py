"""How many bleeds of 10 to 30 mm are told as too large for a microbleed.

    large_bleeds.py DATA PREDICTED

DATA is a dataset of phantoms whose microbleeds are all so large (conditions/large-bleeds.toml), PREDICTED what `deepmir run`
made of it. A bleed is told if a large finding overlaps it. Prints the bleeds by size, those that are called microbleeds
or iron deposits, and the findings that overlap neither a bleed nor another source of at least 6 mm. Needs Python 3 with
numpy, scipy and nibabel.
"""

import csv
import glob
import os
import sys

import nibabel
import numpy as np
from scipy import ndimage

RANGES = ((0, 10), (10, 15), (15, 20), (20, 40))
OTHER_SOURCES_MM = 6.0


def one(pattern):
    found = glob.glob(pattern, recursive=True)
    return found[0] if len(found) == 1 else None


def sources(path, image):
    """Balls of the other large sources: cavernomas, calcifications, deposits."""
    mask = np.zeros(image.shape, bool)
    to_voxel = np.linalg.inv(image.affine)
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    with open(path) as file:
        for row in csv.DictReader(file, delimiter="\t"):
            diameter = 2 * (3 * float(row["volume_mm3"]) / (4 * np.pi)) ** (1 / 3)
            if diameter < OTHER_SOURCES_MM:
                continue
            centre = to_voxel @ [float(row["x_mm"]), float(row["y_mm"]), float(row["z_mm"]), 1]
            axes = np.ogrid[tuple(slice(0, n) for n in image.shape)]
            squares = sum(((axis - c) * size) ** 2 for axis, c, size in zip(axes, centre, sizes))
            mask |= squares <= (diameter / 2 + 2) ** 2
    return mask


def main():
    data, predicted = sys.argv[1:]
    told, there, called, macro = ({name: 0 for name in RANGES} for _ in range(4))
    elsewhere = scans = 0
    for path in sorted(glob.glob(f"{data}/derivatives/truth/sub-*/**/*_seg-lesions_dseg.nii.gz", recursive=True)):
        subject = os.path.basename(path).split("_")[0]
        image = nibabel.load(path)
        truth = np.asarray(image.dataobj)
        labels = one(f"{predicted}/{subject}/**/{subject}_*seg-lesions_dseg.nii.gz")
        if labels is None:
            print(f"{subject} was not predicted")
            continue
        scans += 1
        labels = np.asarray(nibabel.load(labels).dataobj) > 0
        found = one(f"{predicted}/{subject}/**/{subject}_*_large.nii.gz")
        found = np.zeros(truth.shape, int) if found is None else np.asarray(nibabel.load(found).dataobj)
        kinds = {}
        table = one(f"{predicted}/{subject}/**/{subject}_*_large.tsv")
        if table is not None:
            with open(table) as file:
                kinds = {int(row["finding_id"]): row["finding"] for row in csv.DictReader(file, delimiter="\t")}
        bleeds, count = ndimage.label(truth == 1, np.ones((3, 3, 3)))
        voxel = abs(np.linalg.det(image.affine[:3, :3]))
        for n in range(1, count + 1):
            inside = bleeds == n
            diameter = 2 * (3 * inside.sum() * voxel / (4 * np.pi)) ** (1 / 3)
            name = next(name for name in RANGES if name[0] <= diameter < name[1])
            there[name] += 1
            here = set(np.unique(found[inside])) - {0}
            told[name] += bool(here)
            macro[name] += any(kinds.get(int(one)) == "macrobleed" for one in here)
            called[name] += bool(labels[inside].any())
            if not here:
                centre = nibabel.affines.apply_affine(image.affine, np.argwhere(inside).mean(0))
                print(f"missed: {subject}, {diameter:.1f} mm at {np.round(centre)}")
        others = sources(one(f"{data}/derivatives/truth/{subject}/**/{subject}_desc-sources_list.tsv"), image)
        for n in set(np.unique(found)) - {0}:
            region = found == n
            if not (region & ((truth > 0) | others)).any():
                elsewhere += 1
                centre = nibabel.affines.apply_affine(image.affine, np.argwhere(region).mean(0))
                print(f"elsewhere: {subject} {kinds.get(int(n))} at {np.round(centre)}")
    for name in RANGES:
        if there[name]:
            print(f"{name[0]} to {name[1]} mm: {told[name]} of {there[name]} told, {macro[name]} as macrobleed; {called[name]} called CMB or NHID")
    print(f"all: {sum(told.values())} of {sum(there.values())} told; findings elsewhere: {elsewhere} in {scans} scans")


if __name__ == "__main__":
    main()
