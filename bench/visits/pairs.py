"""Simulated pairs of visits, what `deepmir compare` said of them, and what is true.

A folder of results (`run.sh`) holds `DATASET/sub-NN/…_desc-visits_candidates.tsv` and `…_desc-visits.json`; a dataset its
truth in `derivatives/truth`. Needs numpy.
"""

import csv
import json
from pathlib import Path

import numpy as np

LESIONS = {"CMB", "NHID"}
STATES = ["none", "gone", "new", "both"]


def table(path):
    with open(path) as file:
        return list(csv.DictReader(file, delimiter="\t"))


def value(text):
    return float("nan") if text in ("n/a", "") else float(text)


def place(row, prefix=""):
    return np.array([value(row[f"{prefix}{axis}_mm"]) for axis in "xyz"])


class Pair:
    """A subject's two visits."""

    def __init__(self, data, results, subject):
        self.name = f"{data.name}/{subject}"
        truth = data / "derivatives/truth" / subject
        self.sources = []
        for session in (1, 2):
            folder = truth / f"ses-{session}/anat"
            rows = table(folder / f"{subject}_ses-{session}_desc-sources_list.tsv")
            self.sources.append({row["source_id"]: row for row in rows if row["kind"] in LESIONS})
        records = [
            json.loads((truth / f"ses-{n}/anat/{subject}_ses-{n}_desc-phantom.json").read_text()) for n in (1, 2)
        ]
        # From the scanner's millimetres to the head's: the head's movement between the visits.
        poses = [np.array(record["drawn"]["head_pose"]) for record in records]
        self.movement = np.linalg.inv(poses[1]) @ poses[0]
        found = next((results / subject).glob("*_desc-visits.json"))
        self.told = json.loads(found.read_text())
        self.folder = found.parent
        self.rows = table(str(found).replace("_desc-visits.json", "_desc-visits_candidates.tsv"))
        self.label()

    def state(self, source):
        there = []
        for visit in (0, 1):
            row = self.sources[visit].get(source)
            there.append(row is not None and row["change"] != "vanished" and value(row["volume_mm3"]) > 0)
        return STATES[there[0] + 2 * there[1]]

    def volume(self, source, visit):
        row = self.sources[visit].get(source)
        return max(value(row["volume_mm3"]), 0.0) if row else 0.0

    def label(self):
        """Each row's `state` and `source`; each source goes to the nearest place that may be it."""
        near = []
        for number, row in enumerate(self.rows):
            for visit, which in enumerate(("baseline", "followup")):
                if row["outlined_in"] not in ("both", which):
                    continue
                for source, truth in self.sources[visit].items():
                    if self.volume(source, visit) <= 0:
                        continue
                    apart = np.linalg.norm(place(row, f"{which}_") - place(truth))
                    if apart <= 2.0 + value(truth["diameter_mm"]) / 2:
                        near.append((apart, number, source))
        for row in self.rows:
            row["state"], row["source"] = "none", None
        taken = set()
        for _, number, source in sorted(near):
            row = self.rows[number]
            if row["source"] is None and source not in taken:
                row["state"], row["source"] = self.state(source), source
                taken.add(source)

    def registration_error_mm(self):
        """Median distance of places in the brain from where they are: the table's transform against the truth."""
        path = next(self.folder.glob("*_from-baseline_to-followup_xfm.txt"))
        line = next(line for line in path.read_text().splitlines() if line.startswith("Parameters:"))
        numbers = np.array([float(text) for text in line.split()[1:]])
        linear, offset = numbers[:9].reshape(3, 3), numbers[9:]
        flip = np.diag([-1.0, -1.0, 1.0])
        linear, offset = flip @ linear @ flip, flip @ offset
        grid = np.array([[x, y, z] for x in (-55, 0, 55) for y in (-75, -20, 35) for z in (-30, 10, 50)], float)
        true = grid @ self.movement[:3, :3].T + self.movement[:3, 3]
        return float(np.median(np.linalg.norm(grid @ linear.T + offset - true, axis=1)))


def pairs(root, results, datasets):
    found = []
    for dataset in datasets:
        for folder in sorted((Path(results) / dataset).glob("sub-*")):
            if folder.is_dir() and list(folder.glob("*_desc-visits_candidates.tsv")) and list(folder.glob("*_desc-visits.json")):
                found.append(Pair(Path(root) / dataset, Path(results) / dataset, folder.name))
    return found
