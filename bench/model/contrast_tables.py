"""Tables for the fifth training (`bench/model/train-contrasts`): SWI with QSM and T2w, and magnitudes with T2w.

    contrast_tables.py OUT

Reads the phantoms below OUT. further-K.csv are the scans that fold K learns from, dealt.csv those that the folds predict, dealt by
turns so that no fold predicts what it learned from, tune.csv scans that nothing is trained on: each with all images, as magnitude
with T2w, and as SWI alone. A magnitude is an echo at 12 to 50 ms at 3 T, drawn at random.
"""

import csv
import glob
import json
import os
import random
import sys

# Heads that the folds of the preset's seed hold out; the n-th label map is head n.
HELD_OUT = ({3, 4, 7}, {1, 8, 9}, {2, 5, 6})
# Phantoms on label maps, and the head of the first; they take turns.
ON_MAPS = (("any", 1), ("usual", 1), ("any2", 5))
BUILT_IN = ("builtin-any", "builtin-any2", "builtin-usual")
TUNE = ("tune-any", "tune-builtin", "tune-usual", "tune-free")
COLUMNS = ("id", "patient", "truth", "swi", "qsm", "t2w", "mask")


def magnitude(images):
    fit, all_of_them = [], []
    for sidecar in sorted(glob.glob(f"{images}_echo-*_part-mag_MEGRE.json")):
        with open(sidecar) as file:
            fields = json.load(file)
        milliseconds = 1000 * fields["EchoTime"] * fields["MagneticFieldStrength"] / 3
        all_of_them.append((milliseconds, sidecar))
        if 12 <= milliseconds <= 50:
            fit.append(sidecar)
    chosen = random.choice(fit) if fit else max(all_of_them)[1]
    return chosen.replace(".json", ".nii.gz")


def rows(data, n):
    """The phantom's two rows, if it is finished."""
    subject = f"sub-{n:02d}"
    images = f"{data}/{subject}/anat/{subject}"
    truth = f"{data}/derivatives/truth/{subject}/anat/{subject}"
    if not os.path.exists(f"{truth}_desc-phantom.json"):
        return []
    name, t2w = f"{data}-{n:02d}", f"{images}_T2w.nii.gz"
    labels, mask = f"{truth}_seg-lesions_dseg.nii.gz", f"{truth}_desc-brain_mask.nii.gz"
    swi, qsm = f"{images}_acq-swi_T2starw.nii.gz", f"{images}_Chimap.nii.gz"
    return [
        [f"{name}-all", name, labels, swi, qsm, t2w, mask],
        [f"{name}-mag", name, labels, magnitude(images), "", t2w, mask],
    ]


def write(name, lines):
    with open(name, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(lines)


def main():
    os.chdir(sys.argv[1])
    random.seed(31)
    count = lambda data: len(glob.glob(f"{data}/sub-*"))
    held_out = [[], [], []]
    for data, first in ON_MAPS:
        for n in range(1, count(data) + 1):
            head = (first - 1 + n - 1) % 8 + 1
            fold = next(fold for fold, heads in enumerate(HELD_OUT) if head in heads)
            held_out[fold].append(rows(data, n))
    # Built-in heads are all different: each goes to the fold that holds out fewest.
    for data in BUILT_IN:
        for n in range(1, count(data) + 1):
            min(held_out, key=len).append(rows(data, n))
    fewest = min(map(len, held_out))
    dealt = [phantoms[n][view] for n in range(fewest) for view in range(2) for phantoms in held_out]
    # Scans are dealt in the order of their names.
    write("dealt.csv", [[f"{n:03d}-{row[0]}", *row[1:]] for n, row in enumerate(dealt)])
    for fold in range(3):
        others = [row for other in range(3) if other != fold for phantom in held_out[other] for row in phantom]
        write(f"further-{fold + 1}.csv", others)
    tune = [row for data in TUNE for n in range(1, count(data) + 1) for row in rows(data, n)]
    whole = [row for row in tune if row[0].endswith("-all")]
    swi = [[row[0].replace("-all", "-swi"), *row[1:4], "", "", row[6]] for row in whole]
    write("tune.csv", [*tune, *swi])


if __name__ == "__main__":
    main()
