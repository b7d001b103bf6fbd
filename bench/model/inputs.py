"""What a model finds with each set of inputs: SWI with QSM and T2w, SWI alone, T2*-weighted magnitude with and without T2w.

    inputs.py DEEPMIR MODEL PHANTOMS OUT [SET...]

PHANTOMS is the folder of phantoms that `prove` makes with RAW=1: five conditions with raw echoes. Of another folder every
dataset in it is a condition; that of scans without lesions is called lesion-free. The magnitude is the echo
nearest to 25 ms at 3 T. Sets: all, swi, magnitude, magnitude-t2w (with the true brain as mask), and whole-head, the
magnitude of the whole head without a mask. Prints a table with 95 % intervals and writes
OUT/inputs.tsv, and OUT/strata.tsv by size and site of lesions and by scanner. Needs Python 3 with
numpy, scipy and nibabel.
"""

import glob
import json
import os
import subprocess
import sys

from table import judged, mimics, strata

CONDITIONS = ("maps", "builtin", "maps-any-scanner", "builtin-any-scanner", "lesion-free")
SETS = ("all", "swi", "magnitude", "magnitude-t2w", "whole-head")
PREFERRED_SECOND_TESLA = 0.075


def conditions(phantoms):
    there = sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(f"{phantoms}/*/dataset_description.json"))
    known = [name for name in CONDITIONS if name in there]
    return known if len(known) == len(CONDITIONS) else there


def link(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.lexists(target):
        os.symlink(os.path.abspath(source), target)


def magnitude(images):
    """The magnitude of the preferred echo, without its ending."""
    def apart(sidecar):
        with open(sidecar) as file:
            fields = json.load(file)
        return abs(fields["EchoTime"] * fields["MagneticFieldStrength"] - PREFERRED_SECOND_TESLA)

    return min(glob.glob(f"{images}_echo-*_part-mag_MEGRE.json"), key=apart)[: -len(".json")]


def dataset(phantoms, folder, name):
    """Links to the images of a set, all conditions in one dataset, and to their truth."""
    names = conditions(phantoms)
    link(f"{phantoms}/{names[0]}/dataset_description.json", f"{folder}/dataset_description.json")
    for condition in names:
        for path in sorted(glob.glob(f"{phantoms}/{condition}/sub-*")):
            old = os.path.basename(path)
            new = "sub-" + condition.replace("-", "") + old[len("sub-"):]
            images = f"{path}/anat/{old}"
            there = {}
            if name in ("all", "swi"):
                there["acq-swi_T2starw"] = f"{images}_acq-swi_T2starw"
            else:
                there["T2starw"] = magnitude(images)
            if name == "all":
                there["Chimap"] = f"{images}_Chimap"
            if name in ("all", "magnitude-t2w"):
                there["T2w"] = f"{images}_T2w"
            for suffix, source in there.items():
                for ending in (".nii.gz", ".json"):
                    link(source + ending, f"{folder}/{new}/anat/{new}_{suffix}{ending}")
            truth = f"{phantoms}/{condition}/derivatives/truth/{old}/anat/{old}"
            for what in ("seg-lesions_dseg.nii.gz", "desc-brain_mask.nii.gz", "desc-sources_list.tsv", "desc-phantom.json"):
                link(f"{truth}_{what}", f"{folder}/derivatives/truth/{new}/anat/{new}_{what}")


def shown(interval):
    """`0.87 (0.81 to 0.92)`."""
    if interval is None or interval.get("value") is None:
        return "n/a"
    low, high = interval["low"], interval["high"]
    return f"{interval['value']:.2f} ({low:.2f} to {high:.2f})"


def main():
    deepmir, model, phantoms, out, *sets = sys.argv[1:]
    rows = []
    for name in sets or SETS:
        folder, predicted, evaluated = (f"{out}/{what}/{name}" for what in ("data", "predicted", "evaluated"))
        dataset(phantoms, folder, name)
        options = ["--model", model]
        if name != "whole-head":
            options += ["--masks", f"{folder}/derivatives/truth"]
        if name not in ("all", "swi"):
            # Also for models that did not learn from magnitudes.
            options += ["--filter", "swi=suffix-T2starw"]
        # A scan that fails is a status of 3, and missed below.
        subprocess.run([deepmir, "run", folder, predicted, "participant", *options, "-q"], stdout=subprocess.DEVNULL)
        truth = f"{folder}/derivatives/truth"
        subprocess.run(
            [deepmir, "evaluate", "--truth", truth, "--pred", predicted, "--min-volume", "1", "-o", evaluated, "-q"],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with open(f"{evaluated}/evaluation.json") as file:
            rows.append((name, json.load(file)))
    for name, evaluation in rows:
        of_counts, error = coverage(f"{out}/predicted/{name}", evaluation), calibration_error(out, name)
        print(f"{name}: count intervals that hold the truth: {of_counts}; expected calibration error {error:.3f}")
        there, called = mimics(f"{out}/data/{name}/derivatives/truth", f"{out}/predicted/{name}")
        confused = evaluation["confusion"]["counts"]
        print("  called a lesion:", ", ".join(f"{kind} {called[kind]} of {there[kind]}" for kind in there), end="; ")
        print(f"CMB called NHID {confused[1][2]}, NHID called CMB {confused[2][1]}")
    with open(f"{out}/strata.tsv", "w") as file:
        print("inputs", "what", "range", "class", "lesions", "sensitivity", "false", sep="\t", file=file)
        for name, _ in rows:
            parted = strata(f"{out}/data/{name}/derivatives/truth", f"{out}/predicted/{name}")
            for stratum, kind in sorted({(stratum, kind) for stratum, kind, _ in parted}):
                missed, found, wrong = (parted.count((stratum, kind, what)) for what in (0, 1, 2))
                share = f"{found / (found + missed):.2f}" if found + missed else "n/a"
                print(name, *stratum, kind, found + missed, share, wrong, sep="\t", file=file)
    columns = ["inputs", "class", "lesions", "sensitivity", "precision", "F1", "false_per_scan", "false_per_lesion_free_scan"]
    with open(f"{out}/inputs.tsv", "w") as file:
        for line in [columns, *(cells for name, evaluation in rows for cells in lines(name, evaluation))]:
            for stream in (file, sys.stdout):
                print(*line, sep="\t", file=stream)


def coverage(predicted, evaluation):
    """Of each class, in how many scans the interval of its count holds the true one, and its mean width."""
    words = []
    for n, result in enumerate(evaluation["classes"]):
        held, widths = 0, []
        for scan in evaluation["subjects"]:
            sheets = glob.glob(f"{predicted}/{scan['subject']}/**/*_desc-lesions_qc.json", recursive=True)
            if len(sheets) != 1:
                continue
            with open(sheets[0]) as file:
                interval = json.load(file).get("CountIntervals", {}).get(result["class"])
            if interval:
                held += interval["Low"] <= scan["classes"][n]["truth"] <= interval["High"]
                widths.append(interval["High"] - interval["Low"])
        mean = sum(widths) / len(widths) if widths else float("nan")
        words.append(f"{result['class']} {held} of {len(widths)} (width {mean:.1f})")
    return ", ".join(words)


def calibration_error(out, name):
    """Expected calibration error of lesion_probability over ten bins (Naeini et al. 2015), detected lesions only."""
    found = judged(f"{out}/data/{name}/derivatives/truth", f"{out}/predicted/{name}")
    bins = [[item for item in found if min(int(item[0] * 10), 9) == n] for n in range(10)]
    gaps = (abs(sum(p - hit for p, hit in inside)) for inside in bins if inside)
    return sum(gaps) / len(found) if found else float("nan")


def lines(name, evaluation):
    scans = evaluation["subjects"]
    free = [scan for scan in scans if scan["subject"].startswith("sub-lesionfree")]
    for result in evaluation["classes"]:
        metrics = dict(result["metrics"])
        own = [one for scan in free for one in scan["classes"] if one["class"] == result["class"]]
        wrong = sum(one["predicted"] - one["matched"] for one in own) / len(free) if free else float("nan")
        false = (result["predicted"] - result["matched"]) / len(scans)
        values = [shown(metrics[key]) for key in ("sensitivity", "precision", "f1")]
        yield [name, result["class"], result["truth"], *values, f"{false:.2f}", f"{wrong:.2f}"]


if __name__ == "__main__":
    main()
