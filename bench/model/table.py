"""One row a condition: what was found among lesions, mimics and nothing.

    table.py OUT

Reads the folders that `prove` makes. `strata.tsv` has the scans of its first four conditions by size and site of
lesions, and by field strength, voxel size and noise of scans. `calibration.tsv` says which share of the model's detections is a
lesion, by ranges of the candidate classifier's probability. A component of at least 1 mm³ counts; a mimic counts as called a
lesion if one that matches no true lesion overlaps a ball of its diameter (or 1 mm more) around its centre.
"""

import csv
import glob
import json
import os
import sys

import nibabel
import numpy as np
from scipy import ndimage

LEAST_MM3 = 1.0
MIMICS = ("calcification", "vessel", "cavernoma")


def one(pattern):
    found = glob.glob(pattern, recursive=True)
    return found[0] if len(found) == 1 else None


def mimics(truth_folder, predicted_folder):
    """Mimics and those called a lesion, scans, and false components on scans without lesions."""
    there = dict.fromkeys(MIMICS, 0)
    called = dict.fromkeys(MIMICS, 0)
    for path in sorted(glob.glob(f"{truth_folder}/**/*_desc-sources_list.tsv", recursive=True)):
        subject = os.path.basename(path).split("_")[0]
        found = one(f"{predicted_folder}/{subject}/**/{subject}_*seg-lesions_dseg.nii.gz")
        truth = one(f"{truth_folder}/{subject}/**/{subject}_seg-lesions_dseg.nii.gz")
        if found is None or truth is None:
            continue
        image = nibabel.load(found)
        labels = np.asarray(image.dataobj) > 0
        lesion = np.asarray(nibabel.load(truth).dataobj) > 0
        voxel = np.argwhere(labels)
        place = nibabel.affines.apply_affine(image.affine, voxel)
        inside = lesion[tuple(voxel.T)]
        with open(path, newline="") as table:
            for row in csv.DictReader(table, delimiter="\t"):
                if row["kind"] not in there or row["change"] == "vanished":
                    continue
                there[row["kind"]] += 1
                centre = np.array([float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")])
                near = np.linalg.norm(place - centre, axis=1) < float(row["diameter_mm"]) / 2 + 1
                called[row["kind"]] += bool((near & ~inside).any())
    return there, called


HEADS = ("maps", "builtin", "maps-any-scanner", "builtin-any-scanner")
CLASSES = ("CMB", "NHID")


def range_of(value, limits, unit):
    """The range that a value falls in, in words."""
    low = max((limit for limit in limits if limit <= value), default=None)
    high = min((limit for limit in limits if limit > value), default=None)
    words = f"below {high}" if low is None else f"from {low}" if high is None else f"{low} to {high}"
    return f"{words} {unit}".strip()


def around(region, voxel_mm, reach_mm):
    """A region and what is at most so far from it."""
    place = ndimage.find_objects(region.astype(np.uint8))[0]
    margin = np.ceil(reach_mm / np.asarray(voxel_mm)).astype(int)
    place = tuple(slice(max(side.start - m, 0), side.stop + m) for side, m in zip(place, margin))
    near = np.zeros_like(region)
    near[place] = ndimage.distance_transform_edt(~region[place], sampling=voxel_mm) <= reach_mm
    return near


def strata(truth_folder, predicted_folder):
    """Of every scan, what it is like, its true lesions and what was found: lists of (stratum, class, what),
    with what 0 a missed lesion, 1 one that was found, 2 a false one."""
    outcome = []
    for truth in sorted(glob.glob(f"{truth_folder}/sub-*/**/*_seg-lesions_dseg.nii.gz", recursive=True)):
        subject = os.path.basename(truth).split("_")[0]
        found = one(f"{predicted_folder}/{subject}/**/{subject}_*seg-lesions_dseg.nii.gz")
        if found is None:
            continue
        with open(one(f"{truth_folder}/{subject}/**/{subject}_desc-phantom.json")) as file:
            scan = json.load(file)["config"]["scan"]
        with open(one(f"{truth_folder}/{subject}/**/{subject}_desc-sources_list.tsv"), newline="") as table:
            sources = [row for row in csv.DictReader(table, delimiter="\t") if row["kind"] in CLASSES]
        of_scan = (
            ("field strength", f"{scan['field_strength_t']:g} T"),
            ("in plane", range_of(scan["voxel_mm"][0], (0.7, 0.85), "mm")),
            ("slices", range_of(scan["voxel_mm"][2], (1.4, 2.0, 3.0), "mm")),
            ("signal to noise", range_of(scan["snr"], (30, 50), "")),
        )
        image = nibabel.load(truth)
        true, labels = (np.asarray(nibabel.load(path).dataobj) for path in (truth, found))
        voxel_mm3 = abs(np.linalg.det(image.affine[:3, :3]))
        images = f"{truth_folder}/../../{subject}/**/{subject}"
        chimap = one(f"{images}_Chimap.nii.gz")
        mapped = chimap and np.asarray(nibabel.load(chimap).dataobj) != 0
        brain = np.asarray(nibabel.load(one(f"{truth_folder}/{subject}/**/{subject}_desc-brain_mask.nii.gz")).dataobj) > 0
        for value, name in enumerate(CLASSES, 1):
            pieces, count = ndimage.label(true == value, np.ones((3, 3, 3)))
            for number in range(1, count + 1):
                inside = pieces == number
                volume = inside.sum() * voxel_mm3
                if volume < LEAST_MM3:
                    continue
                centre = nibabel.affines.apply_affine(image.affine, np.argwhere(inside).mean(axis=0))
                own = [row for row in sources if row["kind"] == name]
                places = [[float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")] for row in own]
                apart = [np.linalg.norm(centre - place) for place in places]
                site = own[int(np.argmin(apart))]["site"] if own else "unknown"
                of_lesion = (("volume", range_of(volume, (5, 20, 50), "mm³")), ("site", site))
                if chimap:
                    # How much of the brain from the lesion to 3 mm around it the susceptibility map covers.
                    near = brain & around(inside, image.header.get_zooms()[:3], 3.0)
                    covered = range_of(mapped[near].mean(), (0.5, 0.95), "of its surroundings")
                    of_lesion += (("susceptibility map", covered),)
                hit = int((labels[inside] == value).any())
                outcome += [(stratum, name, hit) for stratum in of_scan + of_lesion]
            pieces, count = ndimage.label(labels == value, np.ones((3, 3, 3)))
            for number in range(1, count + 1):
                inside = pieces == number
                volume = inside.sum() * voxel_mm3
                if volume >= LEAST_MM3 and not (true[inside] == value).any():
                    size = ("volume", range_of(volume, (5, 20, 50), "mm³"))
                    outcome += [(stratum, name, 2) for stratum in (*of_scan, size)]
    return outcome


RANGES = (0.0, 0.5, 0.7, 0.9, 0.97, 1.0)


def judged(truth_folder, predicted_folder):
    """Probability of each component of at least 1 mm³, and whether it overlaps a lesion."""
    found = []
    for path in sorted(glob.glob(f"{predicted_folder}/sub-*/**/*_desc-lesions.tsv", recursive=True)):
        subject = os.path.basename(path).split("_")[0]
        labels = one(f"{predicted_folder}/{subject}/**/{subject}_*seg-lesions_dseg.nii.gz")
        truth = one(f"{truth_folder}/{subject}/**/{subject}_seg-lesions_dseg.nii.gz")
        with open(path, newline="") as table:
            rows = list(csv.DictReader(table, delimiter="\t"))
        if labels is None or truth is None or not rows or "lesion_probability" not in rows[0]:
            continue
        image = nibabel.load(labels)
        lesion = np.asarray(nibabel.load(truth).dataobj) > 0
        places = np.array([[float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")] for row in rows])
        volume = abs(np.linalg.det(image.affine[:3, :3]))
        for value in (1, 2):
            pieces, count = ndimage.label(np.asarray(image.dataobj) == value, np.ones((3, 3, 3)))
            for number in range(1, count + 1):
                voxels = np.argwhere(pieces == number)
                if len(voxels) * volume < LEAST_MM3:
                    continue
                centre = nibabel.affines.apply_affine(image.affine, voxels.mean(axis=0))
                row = rows[int(np.linalg.norm(places - centre, axis=1).argmin())]
                found.append((float(row["lesion_probability"]), bool(lesion[tuple(voxels.T)].any())))
    return found


def shown(value):
    return "n/a" if value is None else f"{value:.2f}"


def line(condition, evaluation, there, called):
    scans = len(evaluation["subjects"])
    cells = [condition, scans]
    for result in evaluation["classes"]:
        true, predicted, matched = result["truth"], result["predicted"], result["matched"]
        sensitivity = matched / true if true else None
        precision = matched / predicted if predicted else None
        f1 = 2 * matched / (true + predicted) if true + predicted else None
        cells += [true, shown(sensitivity), shown(precision), shown(f1), shown((predicted - matched) / scans)]
    counts = evaluation["confusion"]["counts"]
    cells += [counts[1][2], counts[2][1]]
    return cells + [f"{called[kind]}/{there[kind]}" for kind in MIMICS]


def main():
    out = sys.argv[1]
    columns = ["condition", "scans"]
    for name in ("CMB", "NHID"):
        columns += [f"{name}_{what}" for what in ("true", "sensitivity", "precision", "F1", "FP_per_scan")]
    columns += ["CMB_called_NHID", "NHID_called_CMB"] + [f"{kind}_called_lesion" for kind in MIMICS]
    rows, found, parted = [], [], []
    for folder in sorted(glob.glob(f"{out}/evaluated/*"), key=os.path.getmtime):
        condition = os.path.basename(folder)
        with open(f"{folder}/evaluation.json") as file:
            evaluation = json.load(file)
        truth, predicted = f"{out}/phantoms/{condition}/derivatives/truth", f"{out}/predicted/{condition}"
        there, called = mimics(truth, predicted)
        found += judged(truth, predicted)
        parted += strata(truth, predicted) if condition in HEADS else []
        rows.append((condition, evaluation, there, called))
    with open(f"{out}/table.tsv", "w") as file:
        print(*columns, sep="\t", file=file)
        for condition, evaluation, there, called in rows:
            print(*line(condition, evaluation, there, called), sep="\t", file=file)
    with open(f"{out}/strata.tsv", "w") as file:
        print("what", "range", "class", "lesions", "sensitivity", "false", sep="\t", file=file)
        for stratum, name in sorted({(stratum, name) for stratum, name, _ in parted}):
            counts = [parted.count((stratum, name, what)) for what in (0, 1, 2)]
            true = counts[0] + counts[1]
            print(*stratum, name, true, shown(counts[1] / true if true else None), counts[2], sep="\t", file=file)
    with open(f"{out}/calibration.tsv", "w") as file:
        print("from", "to", "found", "mean_probability", "lesions", sep="\t", file=file)
        for low, high in zip(RANGES, RANGES[1:]):
            inside = [item for item in found if low <= item[0] < high or item[0] == high == 1.0]
            if inside:
                mean, share = np.mean(inside, axis=0)
                print(low, high, len(inside), f"{mean:.2f}", f"{share:.2f}", sep="\t", file=file)
    for name in ("table", "strata", "calibration"):
        with open(f"{out}/{name}.tsv") as file:
            print(file.read())


if __name__ == "__main__":
    main()
