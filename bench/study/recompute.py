"""Computes a study's tables again from what its cells kept, sharing no code with deepmir.

    pip install numpy==2.4.6 scipy==1.17.1 nibabel==5.4.2 connected-components-3d==4.1.1
    python bench/study/recompute.py STUDY

STUDY is the folder of a finished `deepmir study`. Reads the kept label maps and candidates and the
true label maps (their places are in splits.tsv), and compares with arms.tsv, cells.tsv and
comparisons.tsv: values to the digits written there, bootstrap intervals (other random numbers) to a
tenth of their width or 0.03, Holm's correction exactly. Knows the matching rule `overlap` only.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import cc3d
import nibabel as nib
import numpy as np
from scipy.optimize import linear_sum_assignment

CLASSES = {"CMB": 1, "NHID": 2}


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def components(labels, value):
    """Each 26-connected piece of a label as a set of flat voxel numbers."""
    parts = cc3d.connected_components((labels == value).astype(np.uint8), connectivity=26)
    flat = parts.ravel()
    places = np.flatnonzero(flat)
    pieces = defaultdict(list)
    for place, part in zip(places, flat[places]):
        pieces[part].append(place)
    return [frozenset(piece) for piece in pieces.values()]


def pairs(truth, found):
    """One-to-one pairs: as many as can be, and of those the most shared voxels."""
    shared = np.array([[len(a & b) for b in found] for a in truth], float)
    if shared.size == 0:
        return []
    boosted = np.where(shared > 0, shared + shared.sum() + 1, 0)
    rows, columns = linear_sum_assignment(boosted, maximize=True)
    return [(t, p) for t, p in zip(rows, columns) if shared[t, p] > 0]


class Scan:
    """One scan as one cell saw it, class by class."""

    def __init__(self, truth, labels, candidates, classes, voxel, least):
        self.of = {}
        big = lambda pieces: [piece for piece in pieces if len(piece) * voxel >= least]
        everything = [], []
        for name in classes:
            value = CLASSES[name]
            a, b = big(components(truth, value)), big(components(labels, value))
            volume = lambda pieces: sum(map(len, pieces)) * voxel
            both = set().union(*a) & set().union(*b) if a and b else set()
            everything[0].extend((name, piece) for piece in a)
            everything[1].extend((name, piece) for piece in b)
            scored, free = [], list(a)
            for peak, voxels in candidates[name]:
                if len(voxels) * voxel < least:
                    continue
                hits = [len(voxels & piece) for piece in free]
                if hits and max(hits) > 0:
                    free.pop(int(np.argmax(hits)))
                    scored.append((peak, True))
                else:
                    scored.append((peak, False))
            self.of[name] = {
                "truth": len(a), "found": len(b), "matched": len(pairs(a, b)),
                "truth_volume": volume(a), "found_volume": volume(b),
                "shared_volume": len(both) * voxel, "scored": scored,
            }
        a, b = everything
        met = pairs([piece for _, piece in a], [piece for _, piece in b])
        self.met = len(met)
        self.right = sum(a[t][0] == b[p][0] for t, p in met)


def over(part, whole):
    return part / whole if whole > 0 else None


def mean(values):
    values = [value for value in values if value is not None]
    return over(sum(values), len(values))


def average_precision(scans):
    truth = sum(scan["truth"] for scan in scans)
    if truth == 0:
        return None
    scored = sorted((s for scan in scans for s in scan["scored"]), key=lambda s: -s[0])
    area = found = last = 0
    for n, (peak, hit) in enumerate(scored):
        found += hit
        if n + 1 == len(scored) or scored[n + 1][0] < peak:
            area += (found - last) / truth * found / (n + 1)
            last = found
    return area


def measures(scans, classes):
    out = {}
    for name in classes:
        s = [scan.of[name] for scan in scans]
        total = lambda key: sum(scan[key] for scan in s)
        truth, found, matched = total("truth"), total("found"), total("matched")
        wrong = [scan["found"] - scan["matched"] for scan in s]
        free = [w for w, scan in zip(wrong, s) if scan["truth"] == 0]
        count = [scan["found"] - scan["truth"] for scan in s]
        volume = [scan["found_volume"] - scan["truth_volume"] for scan in s]
        dice = lambda shared, a, b: 2 * shared / (a + b) if a > 0 else None
        out |= {(name, measure): value for measure, value in {
            "sensitivity": over(matched, truth),
            "precision": over(matched, found),
            "f1": over(2 * matched, truth + found) if truth else None,
            "false_positives_per_scan": over(sum(wrong), len(s)),
            "false_positives_per_lesion_free_scan": over(sum(free), len(free)),
            "dice": dice(total("shared_volume"), total("truth_volume"), total("found_volume")),
            "mean_sensitivity": mean(over(x["matched"], x["truth"]) for x in s),
            "mean_precision": mean(over(x["matched"], x["found"]) for x in s),
            "mean_f1": mean(
                2 * x["matched"] / (x["truth"] + x["found"]) if x["truth"] else None for x in s),
            "mean_dice": mean(
                dice(x["shared_volume"], x["truth_volume"], x["found_volume"]) for x in s),
            "count_error": mean(count),
            "absolute_count_error": mean(map(abs, count)),
            "volume_error_mm3": mean(volume),
            "absolute_volume_error_mm3": mean(map(abs, volume)),
            "average_precision": average_precision(s),
        }.items()}
    if len(classes) > 1:
        out["CMB+NHID", "class_accuracy"] = over(
            sum(scan.right for scan in scans), sum(scan.met for scan in scans))
    return out


def load(study):
    settings = json.loads((study / "study.json").read_text())["evaluation"]
    assert settings["match"] == "overlap", "this script knows overlap only"
    splits = read(study / "splits.tsv")
    truths = {row["scan"]: row["truth"] for row in splits}
    groups = {row["scan"]: row["group"] for row in splits}
    held = defaultdict(list)
    for row in splits:
        if row["role"] == "held_out":
            held[row["fold"]].append(row["scan"])
    cells = read(study / "plan.tsv")
    # Of an unfinished study, the folds in which every arm is finished (`collect --partial`).
    unfinished = {
        (cell["fold"], cell["seed"]) for cell in cells
        if not (study / cell["folder"] / "done.json").exists()
    }
    maps, results = {}, defaultdict(dict)
    for cell in cells:
        if (cell["fold"], cell["seed"]) in unfinished:
            continue
        arm = f"{cell['variant']}_{cell['inputs']}_{cell['classes']}"
        classes = cell["classes"].split("+")
        for scan in held[cell["fold"]]:
            if scan not in maps:
                image = nib.load(truths[scan])
                maps[scan] = np.asarray(image.dataobj).astype(int), abs(
                    np.linalg.det(image.affine[:3, :3]))
            truth, voxel = maps[scan]
            at = study / cell["folder"] / "predictions"
            labels = np.asarray(nib.load(at / f"{scan}_dseg.nii.gz").dataobj).astype(int)
            numbers = np.asarray(nib.load(at / f"{scan}_candidates.nii.gz").dataobj).ravel()
            candidates = {name: [] for name in CLASSES}
            for row in read(at / f"{scan}_candidates.tsv"):
                voxels = frozenset(np.flatnonzero(numbers == int(row["candidate"])))
                peak = float(np.float32(row["peak_probability"]))
                candidates[row["class"]].append((peak, voxels))
            scan_result = Scan(truth, labels, candidates, classes, voxel, settings["min_volume_mm3"])
            results[arm].setdefault((cell["fold"], cell["seed"]), []).append(
                (groups[scan], scan_result))
    return settings, results


class Report:
    def __init__(self):
        self.checked, self.wrong = defaultdict(int), []

    def same(self, what, where, theirs, ours, tolerance):
        self.checked[what] += 1
        missing = theirs in ("n/a", ""), ours is None
        if any(missing):
            good = all(missing)
        else:
            good = abs(float(theirs) - ours) <= tolerance
        if not good:
            self.wrong.append(f"{what} {where}: {theirs} there, {ours} here")


def holm(values):
    order = np.argsort(values, kind="stable")
    out, least = np.zeros(len(values)), 0.0
    for rank, n in enumerate(order):
        least = max(least, min(1.0, values[n] * (len(values) - rank)))
        out[n] = least
    return out


def main(study):
    settings, results = load(study)
    classes = {arm: arm.rsplit("_", 1)[1].split("+") for arm in results}
    report = Report()
    by_cell = {
        (arm, *cell): measures([scan for _, scan in scans], classes[arm])
        for arm, cells in results.items() for cell, scans in cells.items()
    }
    for row in read(study / "cells.tsv"):
        value = by_cell[row["arm"], row["fold"], row["seed"]][row["class"], row["measure"]]
        report.same("cell value", tuple(row.values())[:5], row["value"], value, 6e-5)

    rng = np.random.default_rng(0)
    pooled, draws = {}, {}
    for arm, cells in results.items():
        units = defaultdict(list)
        for scans in cells.values():
            for unit, scan in scans:
                units[unit].append(scan)
        units = [units[name] for name in sorted(units)]
        if len(draws) == 0:
            size = (settings["resamples"], len(units))
            draws = rng.integers(0, len(units), size)
        everyone = [scan for unit in units for scan in unit]
        pooled[arm] = measures(everyone, classes[arm]), [
            measures([scan for n in draw for scan in units[n]], classes[arm]) for draw in draws
        ]

    def resampled(arm, key):
        values = [sample[key] for sample in pooled[arm][1]]
        return np.array([np.nan if value is None else value for value in values], float)

    def interval(what, where, row, values):
        values = values[~np.isnan(values)]
        if row["low"] == "n/a" or len(values) == 0:
            return
        width = max(0.03, 0.1 * (float(row["high"]) - float(row["low"])))
        for name, share in (("low", 2.5), ("high", 97.5)):
            # Few subjects give few different values: any within the step counts.
            ends = [np.percentile(values, share + d) for d in (-0.75, 0.75)]
            nearest = min(max(float(row[name]), ends[0]), ends[1])
            report.same(f"{what} interval", (*where, name), row[name], nearest, width)

    for row in read(study / "arms.tsv"):
        key = row["class"], row["measure"]
        where = row["arm"], *key
        report.same("pooled value", where, row["pooled"], pooled[row["arm"]][0][key], 6e-5)
        cells = [
            values[key] for (arm, *_), values in by_cell.items()
            if arm == row["arm"] and values[key] is not None
        ]
        report.same("mean over cells", where, row["mean"], np.mean(cells) if cells else None, 6e-5)
        spread = np.std(cells, ddof=1) if len(cells) > 1 else None
        report.same("deviation over cells", where, row["deviation"], spread, 6e-5)
        interval("pooled", where, row, resampled(row["arm"], key))

    families = defaultdict(list)
    for row in read(study / "comparisons.tsv"):
        key = row["class"], row["measure"]
        where = row["arm"], row["other"], *key
        a, b = pooled[row["arm"]][0][key], pooled[row["other"]][0][key]
        difference = None if a is None or b is None else a - b
        report.same("difference", where, row["difference"], difference, 6e-5)
        if row["p"] == "n/a":
            continue
        values = resampled(row["arm"], key) - resampled(row["other"], key)
        interval("difference", where, row, values)
        values = values[~np.isnan(values)]
        fewer = min((values <= 0).sum(), (values >= 0).sum())
        p = min(1.0, 2 * (fewer + 1) / (len(values) + 1))
        report.same("p value", where, row["p"], p, max(0.02, 0.25 * p))
        families[row["question"], row["measure"]].append(row)
    for rows in families.values():
        corrected = holm([float(row["p"]) for row in rows])
        for row, value in zip(rows, corrected):
            report.same("Holm", (row["arm"], row["other"]), row["p_holm"], value, 1e-3)

    for what, count in report.checked.items():
        bad = sum(line.startswith(what + " ") for line in report.wrong)
        print(f"{what}: {count} compared, {bad} differ")
    for line in report.wrong[:20]:
        print(line)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
