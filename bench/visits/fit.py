#!/usr/bin/env python3
"""Fits the model of changes of `deepmir compare` to simulated pairs of visits, and writes it.

    python3 bench/visits/fit.py DATA RESULTS[,RESULTS…] MODEL.json DATASET…

A multinomial logistic regression (maximum a posteriori, a normal prior of standard deviation 1 on standardised weights) for
a lesion at neither, one or both visits, the same weights for either visit; and one for growth, likewise. RESULTS are those of the
same pairs by other sets of images. Thresholds are those with the best F1 of new lesions and of any, out of fold over pairs.
Needs numpy and scipy.
"""

import json
import sys

import numpy as np
from pairs import STATES, pairs, value
from scipy.optimize import minimize

LEAST_SUM = {"chi_total_ppm_mm3": 0.3, "swi_deficit_mm3": 1.0}
FOLDS = 5


def get(row, visit, name):
    return value(row[f"{('baseline', 'followup')[visit]}_{name}"])


def log_ratio(row, name):
    """Follow-up over baseline."""
    before, after = (get(row, visit, name) for visit in (0, 1))
    least = LEAST_SUM[name]
    if np.isnan(before + after):
        return 0.0
    return float(np.clip(np.log(max(after, least) / max(before, least)), -3, 3))


def both_features(row):
    l0, l1 = (get(row, v, "log_odds") for v in (0, 1))
    r0, r1 = (get(row, v, "patch_log_odds") for v in (0, 1))
    p0, p1 = (get(row, v, "peak") for v in (0, 1))
    ratio = abs(log_ratio(row, "chi_total_ppm_mm3")), abs(log_ratio(row, "swi_deficit_mm3"))
    return [1.0, l0 + l1, r0 + r1, abs(l0 - l1), p0 + p1, *ratio]


def one_features(row, here):
    there = 1 - here
    sign = 1 if here == 1 else -1
    values = [1.0]
    for name in ("log_odds", "patch_log_odds", "peak"):
        values += [get(row, here, name), get(row, there, name)]
    swi = get(row, here, "swi_contrast") - get(row, there, "swi_contrast")
    values += [swi, sign * log_ratio(row, "chi_total_ppm_mm3"), sign * log_ratio(row, "swi_deficit_mm3")]
    return values


def growth_features(row):
    return [log_ratio(row, "chi_total_ppm_mm3"), log_ratio(row, "swi_deficit_mm3")]


def state_logits(weights, both, one):
    """Logits of none, gone, new, both."""
    b, o = weights[: both.shape[1]], weights[both.shape[1] :]
    return np.stack([np.zeros(len(both)), one[:, 0] @ o, one[:, 1] @ o, both @ b], 1)


def log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, 1, keepdims=True)


def fit_states(both, one, state):
    scale = np.concatenate([both.std(0), one.reshape(-1, one.shape[2]).std(0)])
    scale[scale == 0] = 1.0

    def loss(z):
        w = z / scale
        logp = log_softmax(state_logits(w, both, one))
        return -logp[np.arange(len(state)), state].sum() + 0.5 * np.sum(z**2)

    found = minimize(loss, np.zeros(len(scale)), method="L-BFGS-B", options={"maxiter": 2000})
    return found.x / scale


def growth_logits(w, x):
    bias, slopes = w[0], w[1:]
    push = x @ slopes
    return np.stack([np.zeros(len(x)), bias - push, bias + push], 1)


def fit_growth(x, y):
    def loss(w):
        logp = log_softmax(growth_logits(w, x))
        return -logp[np.arange(len(y)), y].sum() + 0.5 * np.sum((w / 5.0) ** 2)

    return minimize(loss, np.array([-1.0] + [0.0] * x.shape[1]), method="L-BFGS-B").x


def grown(pair, row):
    """0 stable, 1 shrunk, 2 grown; None if it is not at both visits."""
    if row["state"] != "both":
        return None
    before, after = (pair.volume(row["source"], visit) for visit in (0, 1))
    return 2 if after >= 1.5 * before else 1 if before >= 1.5 * after else 0


def main():
    data, results, out, *datasets = sys.argv[1:]
    all_pairs = [pair for folder in results.split(",") for pair in pairs(data, folder, datasets)]
    names = sorted({pair.name for pair in all_pairs})
    rows = [(n, row) for n, pair in enumerate(all_pairs) for row in pair.rows]
    of = np.array([names.index(all_pairs[n].name) for n, _ in rows])
    state = np.array([STATES.index(row["state"]) for _, row in rows])
    both = np.array([both_features(row) for _, row in rows])
    one = np.array([[one_features(row, 0), one_features(row, 1)] for _, row in rows])
    print(f"{len(names)} pairs, {len(all_pairs)} readings, places by state:", dict(zip(STATES, np.bincount(state, minlength=4))))
    logp = np.zeros((len(rows), 4))
    for fold in range(FOLDS):
        held = of % FOLDS == fold
        weights = fit_states(both[~held], one[~held], state[~held])
        logp[held] = log_softmax(state_logits(weights, both[held], one[held]))
    print(f"out of fold: log loss {-logp[np.arange(len(rows)), state].mean():.4f}")
    p = np.exp(logp)
    best = None
    for lesion in np.arange(0.3, 0.61, 0.05):
        for change in np.arange(0.3, 0.91, 0.05):
            called = (1 - p[:, 0] >= lesion) & (p[:, 2] >= change)
            hit, false = (called & (state == 2)).sum(), (called & (state != 2)).sum()
            lesions = 1 - p[:, 0] >= lesion
            right, wrong, missed = (lesions & (state > 0)).sum(), (lesions & (state == 0)).sum(), (~lesions & (state > 0)).sum()
            f_new = 2 * hit / max(2 * hit + false + (state == 2).sum() - hit, 1)
            f_any = 2 * right / max(2 * right + wrong + missed, 1)
            key = (round(f_new + f_any, 6), -abs(change - 0.5))
            if best is None or key > best[0]:
                best = key, lesion, change, hit, false, f_new, f_any
    _, lesion, change, hit, false, f_new, f_any = best
    print(f"thresholds {lesion:.2f} and {change:.2f}: {hit} of {(state == 2).sum()} new, {false} false; F1 {f_new:.3f}, any lesion {f_any:.3f}")
    growth = [(n, growth_features(row), grown(all_pairs[n], row)) for n, row in rows]
    growth = [item for item in growth if item[2] is not None]
    x, y = np.array([item[1] for item in growth]), np.array([item[2] for item in growth])
    groups = np.array([names.index(all_pairs[item[0]].name) for item in growth])
    # Either visit may be the earlier.
    double_x, double_y = np.concatenate([x, -x]), np.concatenate([y, np.array([0, 2, 1])[y]])
    double_groups = np.concatenate([groups, groups])
    gp = np.zeros((len(y), 3))
    for fold in range(FOLDS):
        held = groups % FOLDS == fold
        keep = double_groups % FOLDS != fold
        gp[held] = np.exp(log_softmax(growth_logits(fit_growth(double_x[keep], double_y[keep]), x[held])))
    for threshold in (0.3, 0.4, 0.5):
        print(f"grown at {threshold}: {(gp[y == 2, 2] >= threshold).mean():.2f} of {(y == 2).sum()}; stable called grown or shrunk: "
              f"{(gp[y == 0][:, 1:].max(1) >= threshold).mean():.3f} of {(y == 0).sum()}")
    final, final_growth = fit_states(both, one, state), fit_growth(double_x, double_y)
    # Scan–rescan error of what did not change, same and other protocol.
    stable = [(all_pairs[n], row) for n, row in rows if grown(all_pairs[n], row) == 0]
    errors = {}
    for same in ("true", "false"):
        for name in LEAST_SUM:
            ratios = [log_ratio(row, name) for pair, row in stable if row["same_protocol"] == same
                      and abs(np.log(pair.volume(row["source"], 1) / pair.volume(row["source"], 0))) < 0.02]
            spread = 1.4826 * np.median(np.abs(ratios - np.median(ratios))) if ratios else float("nan")
            errors[f"{name}, same protocol {same}"] = (len(ratios), round(float(spread), 3))
    print("spread of log ratios of unchanged lesions:", errors)
    model = {
        "both": [round(v, 5) for v in final[: both.shape[1]]],
        "one": [round(v, 5) for v in final[both.shape[1] :]],
        "growth": [round(v, 5) for v in final_growth],
        "lesion_threshold": round(float(lesion), 2),
        "change_threshold": round(float(change), 2),
        "growth_threshold": 0.4,
        "spread": {
            protocol: [errors[f"{name}, same protocol {same}"][1] for name in LEAST_SUM]
            for protocol, same in (("same_protocol", "true"), ("other_protocol", "false"))
        },
    }
    with open(out, "w") as file:
        json.dump(model, file, indent=2)
        file.write("\n")


main()
