"""What implants let one expect of lesions, against what was found of them.

    python3 bench/qualify/expected.py IMPLANTS LESIONS

IMPLANTS and LESIONS are results of `deepmir qualify` on the same scans, with implants, and with the true lesions in their
place (`--implanted`). For each set of inputs that both have: the microbleeds found by diameter, and how many lesions the
logistic curve of the implants (on the logarithms of diameter and susceptibility) would have found, with an interval of
95 % from a bootstrap over the subjects with implants. Needs numpy.
"""

import csv
import sys
from pathlib import Path

import numpy as np

EDGES_MM = [0, 2, 3, 4, np.inf]


def read(folder):
    with open(Path(folder) / "implants.tsv", newline="") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "CMB"]


def design(rows):
    sizes = [[1.0, np.log(float(r["diameter_mm"])), np.log(abs(float(r["chi_ppm"])))] for r in rows]
    return np.array(sizes), np.array([r["found"] == "yes" for r in rows], float)


def fit(x, y):
    weights = np.zeros(x.shape[1])
    for _ in range(100):
        p = chance(x, weights)
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + 1e-3 * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, x.T @ (y - p) - 1e-3 * weights)
        weights += np.clip(step, -2, 2)
    return weights


def chance(x, weights):
    return 1 / (1 + np.exp(-(x @ weights)))


def by_size(rows):
    told = []
    for low, high in zip(EDGES_MM, EDGES_MM[1:]):
        here = [r for r in rows if low <= float(r["diameter_mm"]) < high]
        told.append(f"{sum(r['found'] == 'yes' for r in here)}/{len(here)}")
    return told


def main(implants, lesions):
    implants, lesions = read(implants), read(lesions)
    print("inputs", "of", *[f"from_{low}_mm" for low in EDGES_MM[:-1]], sep="\t")
    shared = sorted({r["inputs"] for r in implants} & {r["inputs"] for r in lesions})
    for inputs in shared:
        a = [r for r in implants if r["inputs"] == inputs]
        b = [r for r in lesions if r["inputs"] == inputs]
        print(inputs, "implants", *by_size(a), sep="\t")
        print(inputs, "lesions", *by_size(b), sep="\t")
        (x, y), (z, found) = design(a), design(b)
        subjects = np.array([r["scan"].split("_")[0] for r in a])
        names, random = sorted(set(subjects)), np.random.default_rng(1)
        drawn = []
        for _ in range(300):
            pick = np.concatenate([np.flatnonzero(subjects == s) for s in random.choice(names, len(names))])
            drawn.append(chance(z, fit(x[pick], y[pick])).sum())
        low, high = np.percentile(drawn, [2.5, 97.5])
        expected = chance(z, fit(x, y)).sum()
        print(f"{inputs}: {expected:.1f} ({low:.1f} to {high:.1f}) expected, {found.sum():.0f} of {len(found)} found")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
