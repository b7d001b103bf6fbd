"""Compares what the chains made with the truth: measures.tsv, lesions.tsv and report.md.

Usage: evaluate.py OUT, the folder that compare.py filled. Shares no code with the product.
"""

import csv
import json
import statistics
import sys
from pathlib import Path

import measures
import nibabel as nib
import numpy as np
import sources as lesion_sources

# More than the reach of the filters, 4 standard deviations of 1.5 voxels.
ROOM_VOXELS = 8
OVERVIEW = (
    ("share_percent", "given, %", ".1f"),
    ("nrmse_percent", "NRMSE, %", ".1f"),
    ("detrended_percent", "detrended, %", ".1f"),
    ("slope", "slope", ".3f"),
    ("correlation", "r", ".3f"),
    ("hfen_percent", "HFEN, %", ".1f"),
    ("xsim", "XSIM", ".3f"),
    ("streaks_ppm", "streaks, ppm", ".4f"),
    ("lesions", "lesions given", "s"),
    ("sign_right_percent", "sign right, %", ".1f"),
    ("strength_median", "strength over truth", ".3f"),
    ("strength_error_percent", "its error, %", ".1f"),
)
COST_OVERVIEW = (
    ("wall_s", "s", ".1f"),
    ("cpu_s", "processor s", ".1f"),
    ("peak_mib", "MiB", ".0f"),
)
COST = tuple(key for key, *_ in COST_OVERVIEW)


def load(file):
    image = nib.load(file)
    return image, np.asarray(image.dataobj, dtype=float)


def only(folder, pattern):
    """The one file of a pattern, or `None`."""
    files = sorted(folder.glob(pattern))
    return files[0] if len(files) == 1 else None


def box_around(mask):
    """Slices of the box around a mask, with room for the filters."""
    places = np.nonzero(mask)
    return tuple(
        slice(max(0, int(at.min()) - ROOM_VOXELS), int(at.max()) + ROOM_VOXELS + 1) for at in places
    )


class Truth:
    """True susceptibility, brain and lesions of one scan, cut to the box around the brain."""

    def __init__(self, folder):
        image, chi = load(only(folder, "*_Chimap.nii.gz"))
        brain = load(only(folder, "*_desc-brain_mask.nii.gz"))[1] > 0
        self.shape, self.whole_affine = image.shape, image.affine
        self.box = box_around(brain)
        self.chi = chi[self.box]
        self.brain = brain[self.box] & np.isfinite(self.chi)
        self.affine = image.affine.copy()
        self.affine[:3, 3] = nib.affines.apply_affine(image.affine, [s.start for s in self.box])
        listed = only(folder, "*_desc-sources_list.tsv")
        self.sources = lesion_sources.read(listed) if listed else []


def measure(chi, truth, region):
    """All measures over one region, and the lesions."""
    rows = lesion_sources.lesions(chi, truth.chi, region, truth.sources, truth.affine)
    given = [row for row in rows if row["given"]]
    ratios = [row["strength_over_truth"] for row in given]
    made = {
        "voxels": int(region.sum()),
        "share_percent": 100 * region.sum() / truth.brain.sum(),
        **measures.line(chi, truth.chi, region),
        "hfen_percent": measures.hfen_percent(chi, truth.chi, region),
        "xsim": measures.xsim(chi, truth.chi, region),
        "streaks_ppm": lesion_sources.streaks_ppm(
            chi, truth.chi, region, truth.sources, truth.affine
        ),
        "lesions": f"{len(given)} of {len(rows)}",
        "sign_right_percent": np.nan,
        "strength_median": np.nan,
        "strength_error_percent": np.nan,
    }
    if given:
        made["sign_right_percent"] = 100 * statistics.mean(row["sign_right"] for row in given)
        made["strength_median"] = statistics.median(ratios)
        made["strength_error_percent"] = statistics.median(100 * abs(r - 1) for r in ratios)
    return made, rows


def last_runs(runs):
    """The last run of each chain on each scan, with the median cost of all its runs."""
    found = {}
    for run in runs:
        found.setdefault((run["scan"], run["chain"], run["mask"]), []).append(run)
    for same in found.values():
        done = [run for run in same if run["status"] == 0]
        told = {key: value for key, value in same[-1].items() if key not in COST}
        cost = {key: statistics.median(run[key] for run in done) for key in COST if done}
        yield {**told, **cost, "runs": len(done)}


def evaluate(scan_runs, truth):
    """Measures of all chains on one scan, over their own and over the common voxels."""
    maps = {}
    for run in scan_runs:
        if not (run["status"] == 0 and run["chi"] and run["given"]):
            continue
        (image, chi), given = load(run["chi"]), load(run["given"])[1] > 0
        same_place = np.allclose(image.affine, truth.whole_affine, atol=1e-3)
        if image.shape != truth.shape or not same_place:
            print(f"{run['chi']}: not on the truth's grid, left out", file=sys.stderr)
            continue
        chi, given = chi[truth.box], given[truth.box]
        maps[run["chain"], run["mask"]] = (chi, given & truth.brain & np.isfinite(chi))
    same = [region for (_, mask), (_, region) in maps.items() if mask == "deepmir"]
    common = np.logical_and.reduce(same) if same else truth.brain
    for (chain, mask), (chi, own) in maps.items():
        for name, region in (("own", own), ("common", own & common)):
            if region.sum() < 1000:
                print(f"{chain}, {mask} mask: nothing in common", file=sys.stderr)
                continue
            made, rows = measure(chi, truth, region)
            yield {"chain": chain, "mask": mask, "region": name}, made, rows


def write_tsv(file, rows):
    if rows:
        with file.open("w", newline="") as text:
            writer = csv.DictWriter(text, rows[0].keys(), delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def table(rows, columns):
    """A Markdown table of chains."""
    lines = ["| chain | mask | " + " | ".join(title for _, title, _ in columns) + " |"]
    lines.append("|---|---|" + "---:|" * len(columns))
    for row in rows:
        cells = (format(row[key], style) if key in row else "failed" for key, _, style in columns)
        lines.append(f"| {row['chain']} | {row['mask']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(measured, costs):
    """The whole report."""
    parts = ["# Reconstruction chains"]
    for scan in dict.fromkeys(cost["scan"] for cost in costs):
        parts.append(f"## {scan}")
        for region, title in (
            ("own", "Over the true brain's voxels that the chain gives:"),
            ("common", "Over the voxels that all chains with deepmir's mask give:"),
        ):
            rows = [r for r in measured if r["scan"] == scan and r["region"] == region]
            if rows:
                parts += [title, table(rows, OVERVIEW)]
        parts += ["Cost, medians:", table([c for c in costs if c["scan"] == scan], COST_OVERVIEW)]
    return "\n\n".join(parts) + "\n"


def main():
    output = Path(sys.argv[1])
    runs = list(last_runs(json.loads((output / "runs.json").read_text())))
    measured, lesion_rows = [], []
    for scan in dict.fromkeys(run["scan"] for run in runs):
        scan_runs = [run for run in runs if run["scan"] == scan]
        folder = Path(scan_runs[0]["truth"])
        if not (only(folder, "*_Chimap.nii.gz") and only(folder, "*_desc-brain_mask.nii.gz")):
            print(f"{scan}: no truth", file=sys.stderr)
            continue
        for names, made, rows in evaluate(scan_runs, Truth(folder)):
            measured.append({"scan": scan, **names, **made})
            lesion_rows += [{"scan": scan, **names, **row} for row in rows]
    columns = ("scan", "chain", "mask", "runs", *COST)
    costs = [{key: run[key] for key in columns if key in run} for run in runs]
    write_tsv(output / "measures.tsv", measured)
    write_tsv(output / "lesions.tsv", lesion_rows)
    write_tsv(output / "costs.tsv", [cost for cost in costs if "wall_s" in cost])
    (output / "report.md").write_text(report(measured, costs))
    print(report(measured, costs))
    failed = [run for run in runs if run["status"] != 0]
    for run in failed:
        print(f"{run['scan']}: {run['chain']} failed, see {run['log']}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
