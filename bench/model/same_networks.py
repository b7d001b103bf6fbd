"""What models with the same networks find in SWI with QSM and T2w, SWI alone and magnitude alone: other trees, calibration or thresholds.

    same_networks.py PHANTOMS OUT MODEL...

PHANTOMS is the folder of phantoms that `prove` makes with RAW=1. Each scan is predicted once for each set of images, by the
networks that the models share (`compare_detections`, an example of deepmir-model), so that it takes a third of the time of
`inputs.py` for each model. Prints tables with 95 % bootstrap intervals over scans; OUT is a folder for what was measured, from which
the tables are printed again if it is there. COMPARE may name the example, built.
"""

import csv
import glob
import os
import subprocess
import sys

import numpy as np

from inputs import CONDITIONS, magnitude

RESAMPLES = 2000
COLUMNS = ("id", "truth", "swi", "t2starw", "qsm", "t2w", "mask")
HERE = os.path.dirname(os.path.abspath(__file__))


def scans(phantoms):
    """Rows of the table of scans: SWI with QSM and T2w, and magnitude alone, of each phantom."""
    for condition in CONDITIONS:
        for path in sorted(glob.glob(f"{phantoms}/{condition}/sub-*")):
            old = os.path.basename(path)
            images, truth = f"{path}/anat/{old}", f"{phantoms}/{condition}/derivatives/truth/{old}/anat/{old}"
            labels, mask = f"{truth}_seg-lesions_dseg.nii.gz", f"{truth}_desc-brain_mask.nii.gz"
            swi, qsm, t2w = f"{images}_acq-swi_T2starw.nii.gz", f"{images}_Chimap.nii.gz", f"{images}_T2w.nii.gz"
            name = f"{condition}-{old[len('sub-'):]}"
            yield f"{name}-swi", labels, swi, "", qsm, t2w, mask
            yield f"{name}-mag", labels, "", magnitude(images) + ".nii.gz", "", "", mask


def measured(phantoms, out, models):
    path = f"{out}/measured.tsv"
    if not os.path.exists(path):
        os.makedirs(out, exist_ok=True)
        with open(f"{out}/scans.csv", "w", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            rows = ([row[0], *(cell and os.path.abspath(cell) for cell in row[1:])] for row in scans(phantoms))
            table.writerows(rows)
        run = ["cargo", "run", "--release", "--quiet", "-p", "deepmir-model", "--example", "compare_detections", "--"]
        run = [os.environ["COMPARE"]] if "COMPARE" in os.environ else run
        models = [os.path.abspath(model) for model in models]
        command = [*run, os.path.abspath(f"{out}/scans.csv"), *models]
        with open(path + ".part", "w") as file:
            subprocess.run(command, stdout=file, cwd=HERE, check=True)
        os.rename(path + ".part", path)
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def interval(rows, measure):
    """A measure of all scans, with the 2.5th and 97.5th percentiles of resampled ones."""
    counts = np.array([[float(row[key]) for key in ("truth", "found", "matched")] for row in rows])
    draw = np.random.default_rng(1).integers(len(rows), size=(RESAMPLES, len(rows)))
    with np.errstate(invalid="ignore"):
        drawn = measure(*np.moveaxis(counts[draw].sum(axis=1), -1, 0))
        low, high = np.nanpercentile(drawn, [2.5, 97.5])
        return f"{measure(*counts.sum(axis=0)):.2f} ({low:.2f} to {high:.2f})"


def calibration_error(rows):
    """Expected calibration error of what was found, over ten bins (Naeini et al. 2015)."""
    pairs = [pair.split(":") for row in rows for pair in row["probabilities"].split(",") if pair]
    pairs = [(float(probability), int(hit)) for probability, hit in pairs]
    bins = [[pair for pair in pairs if min(int(pair[0] * 10), 9) == n] for n in range(10)]
    return sum(abs(sum(p - hit for p, hit in inside)) for inside in bins) / max(len(pairs), 1)


def main():
    phantoms, out, *models = sys.argv[1:]
    table = measured(phantoms, out, models)
    print("images", "model", "class", "lesions", "sensitivity", "precision", "F1", "false_per_scan",
          "false_per_lesion_free_scan", "count_interval_holds", "mean_width", sep="\t")
    for images in sorted({row["images"] for row in table}):
        for place, model in enumerate(models):
            own = [row for row in table if row["images"] == images and row["model"] == str(place)]
            for kind in ("CMB", "NHID"):
                rows = [row for row in own if row["class"] == kind]
                false = [int(row["found"]) - int(row["matched"]) for row in rows]
                free = [n for n, row in zip(false, rows) if row["scan"].startswith("lesion-free")]
                held = sum(int(row["low"]) <= int(row["truth"]) <= int(row["high"]) for row in rows)
                width = np.mean([int(row["high"]) - int(row["low"]) for row in rows])
                print(images, os.path.basename(model), kind, sum(int(row["truth"]) for row in rows),
                      interval(rows, lambda truth, found, matched: matched / truth),
                      interval(rows, lambda truth, found, matched: matched / found),
                      interval(rows, lambda truth, found, matched: 2 * matched / (truth + found)),
                      f"{np.mean(false):.2f}", f"{np.mean(free) if free else float('nan'):.2f}",
                      f"{held} of {len(rows)}", f"{width:.1f}", sep="\t")
            print(f"{images}\t{os.path.basename(model)}\texpected calibration error {calibration_error(own):.3f}")


if __name__ == "__main__":
    main()
