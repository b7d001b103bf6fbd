#!/usr/bin/env python3
"""Scores `deepmir compare` on simulated pairs of visits, beside visits that are read apart.

    python3 bench/visits/score.py DATA RESULTS DATASET…

Apart: the lesions of either visit alone (the candidate classifier at the model's threshold for the class), matched at the
same places as together; what has no partner is new, or gone. Needs numpy.
"""

import sys

import numpy as np
from pairs import pairs, value

CLASS = "CMB"
RESAMPLES = 2000


def boot(values, statistic):
    """95 % over pairs."""
    generator = np.random.default_rng(1)
    values = list(values)
    if not values:
        return "n/a"
    drawn = [statistic([values[n] for n in generator.integers(0, len(values), len(values))]) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return f"{statistic(values):.2f} ({low:.2f} to {high:.2f})"


def share(pairs_of_counts):
    hit, of = np.sum(pairs_of_counts, 0)
    return hit / of if of else float("nan")


def apart(pair, row):
    """What two separate readings say of a place."""
    threshold = pair.told["Detection"]["classes"][row["class"]]["detection_threshold"]
    found = [1 / (1 + np.exp(-value(row[f"{which}_log_odds"]))) >= threshold and row["outlined_in"] in ("both", which)
             for which in ("baseline", "followup")]
    return {(True, True): "both", (True, False): "gone", (False, True): "new", (False, False): "none"}[tuple(found)]


def is_class(pair, row):
    if row["source"] is None:
        return row["class"] == CLASS
    kinds = [pair.sources[visit].get(row["source"], {}).get("kind") for visit in (0, 1)]
    return CLASS in kinds


def report(name, all_pairs):
    print(f"## {name}: {len(all_pairs)} pairs")
    # Of the datasets without any change.
    without = [p for p in all_pairs if p.name.startswith("e-same")]
    for what, call in (("together", lambda pair, row: row["change"]), ("apart", apart)):
        false = [sum(call(p, r) == "new" and r["state"] != "new" and is_class(p, r) for r in p.rows) for p in all_pairs]
        false_gone = [sum(call(p, r) == "gone" and r["state"] != "gone" and is_class(p, r) for r in p.rows) for p in all_pairs]
        in_unchanged = [sum(call(p, r) == "new" and is_class(p, r) for r in p.rows) for p in without]
        counts = []
        for pair in all_pairs:
            new = [s for s, row in pair.sources[1].items() if pair.state(s) == "new" and row["kind"] == CLASS and pair.volume(s, 1) >= 4]
            called = {r["source"] for r in pair.rows if call(pair, r) == "new"}
            counts.append((sum(s in called for s in new), len(new)))
        print(f"{what}: false new a pair {boot(false, np.mean)}, in pairs without change {boot(in_unchanged, np.mean)}; "
              f"false gone a pair {boot(false_gone, np.mean)}; new of at least 4 mm³ found {boot(counts, share)} of {np.sum(counts, 0)[1] if counts else 0}")
    grown, stable = [], []
    for pair in all_pairs:
        for row in pair.rows:
            if row["state"] != "both" or row["change"] == "none":
                continue
            before, after = (pair.volume(row["source"], visit) for visit in (0, 1))
            if after >= 1.5 * before:
                grown.append(row["change"] == "grown")
            elif abs(np.log(after / before)) < 0.05:
                stable.append(row["change"] == "stable")
    print(f"grown by half or more told as grown: {np.mean(grown) if grown else float('nan'):.2f} of {len(grown)}; "
          f"unchanged told as stable: {np.mean(stable) if stable else float('nan'):.3f} of {len(stable)}")
    errors = [p.registration_error_mm() for p in all_pairs]
    print(f"registration: median {np.median(errors):.2f} mm, worst {np.max(errors):.2f} mm; directions apart: median "
          f"{np.median([p.told['Registration']['Disagreement_mm'] for p in all_pairs]):.2f} mm; Dice of brains from "
          f"{min(p.told['Registration']['BrainAgreement'] for p in all_pairs):.3f}")
    inside = []
    for pair in all_pairs:
        new = sum(pair.state(s) == "new" and row["kind"] == CLASS for s, row in pair.sources[1].items())
        interval = pair.told["Changes"][CLASS]["New"]
        inside.append(interval["Low"] <= new <= interval["High"])
    print(f"interval of the number of new ones holds the truth in {sum(inside)} of {len(inside)} pairs")
    verdicts = [p.told["Comparability"]["Verdict"] for p in all_pairs]
    print("verdicts:", {v: verdicts.count(v) for v in sorted(set(verdicts))})


def main():
    data, results, *datasets = sys.argv[1:]
    all_pairs = pairs(data, results, datasets)
    report("all", all_pairs)
    for other in (False, True):
        some = [p for p in all_pairs if p.name.split("/")[0].endswith("other") == other]
        if some:
            report("another protocol" if other else "the same protocol", some)
    comparable = [p for p in all_pairs if p.told["Comparability"]["Verdict"] != "not comparable"]
    if len(comparable) < len(all_pairs):
        report("all but those that are not comparable", comparable)


main()
