"""How well `deepmir anatomy` outlines heads that it has not learned from, in contrasts that no scanner need have.

    pip install numpy nibabel scipy
    python bench/anatomy/evaluate.py DEEPMIR OUT LABEL_MAP...

Label maps of built-in heads are made by
    cargo run --release -p deepmir-phantom --example built_in_heads -- OUT N SEED

Each label map (FreeSurfer's numbers, 1 mm, with the skull) is painted six times: each structure gets an intensity at random,
then come a smooth receive field, blur and noise; four of the six have voxels of 1 mm, the other two are the first two
in slices of 3 mm. The painter shares no code with the one that the network learned from. What the program outlines is
compared with the label map on the image's own voxels. Prints means and the worst, and writes OUT/figures.tsv.
"""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

SIDES = {3: 42, 2: 41, 4: 43, 5: 44, 7: 46, 8: 47, 10: 49, 11: 50, 12: 51, 13: 52, 17: 53, 18: 54, 26: 58, 28: 60,
         25: 57, 30: 62, 136: 163, 137: 164, 31: 63}
# What the program gives one number.
MERGED = {5: 4, 44: 43, 18: 17, 54: 53, 26: 11, 58: 50, 25: 2, 57: 41, 30: 2, 62: 41, 136: 4, 137: 4, 163: 43, 164: 43,
          31: 4, 63: 43}
OUTSIDE = {0, 24, 165, 258, 257, 502, *range(506, 517), 530}
NUCLEI = {"thalamus": (10, 49), "caudate": (11, 50), "putamen": (12, 51), "pallidum": (13, 52)}
OTHERS = {"hippocampus": (17, 53), "brainstem": (16,), "white matter": (2, 41), "cortex": (3, 42)}


def paint(labels, rng):
    """A magnitude image: intensities of structures are the same on both sides."""
    image = np.zeros(labels.shape, np.float32)
    right_to_left = {right: left for left, right in SIDES.items()}
    means = {}
    for number in np.unique(labels):
        left = right_to_left.get(int(number), int(number))
        if left not in means:
            means[left] = (0.0 if left == 0 else rng.uniform(0.1, 1.0), rng.uniform(0.0, 0.06))
        mean, spread = means[left]
        inside = labels == number
        image[inside] = mean + spread * rng.standard_normal(int(inside.sum()), dtype=np.float32)
    image = ndimage.gaussian_filter(np.maximum(image, 0), rng.uniform(0.3, 0.9))
    coarse = rng.standard_normal((4, 4, 4)).astype(np.float32)
    bias = ndimage.zoom(coarse, [n / 4 for n in image.shape], order=3)
    image *= np.exp(rng.uniform(0.05, 0.3) * bias)
    sigma = rng.uniform(0.01, 0.06)
    noise = [sigma * rng.standard_normal(image.shape, dtype=np.float32) for _ in range(2)]
    return np.hypot(image + noise[0], noise[1])


def brain_mask(brain):
    """In one piece, gaps of up to 6 mm closed, holes filled."""
    parts, _ = ndimage.label(brain)
    brain = parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1
    padded = np.pad(brain, 4)
    near = ndimage.distance_transform_edt(~padded) <= 3
    closed = ndimage.distance_transform_edt(near) > 3
    return ndimage.binary_fill_holes(closed)[4:-4, 4:-4, 4:-4]


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / max(np.count_nonzero(a) + np.count_nonzero(b), 1)


def hausdorff95_mm(a, b, sizes):
    def surface(mask):
        return mask & ~ndimage.binary_erosion(mask)
    box = tuple(slice(max(i.start - 3, 0), i.stop + 3) for i in ndimage.find_objects((a | b).astype(np.uint8))[0:1][0])
    a, b = surface(a[box]), surface(b[box])
    apart = [ndimage.distance_transform_edt(~b, sizes)[a], ndimage.distance_transform_edt(~a, sizes)[b]]
    return max(np.percentile(distances, 95) for distances in apart)


def main():
    deepmir, out = sys.argv[1], Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in map(Path, sys.argv[3:]):
        loaded = nib.load(path)
        labels = np.asanyarray(loaded.dataobj).astype(np.int16)
        for number in range(6):
            thick = number >= 4
            # The thick slices are those of the first images.
            rng = np.random.default_rng([number % 4, *path.name.encode()])
            image, truth, affine = paint(labels, rng), labels, loaded.affine.copy()
            if thick:
                axis = "".join(nib.aff2axcodes(affine)).replace("I", "S").index("S")
                move = np.moveaxis(image, axis, 0)
                move = move[: len(move) // 3 * 3].reshape(-1, 3, *move.shape[1:]).mean(1)
                image = np.moveaxis(move, 0, axis)
                truth = np.moveaxis(np.moveaxis(labels, axis, 0)[1::3][: len(move)], 0, axis)
                affine[:3, 3] += affine[:3, axis]
                affine[:3, axis] *= 3
            name = f"{path.name.split('.')[0]}_{number}"
            scan = out / f"{name}.nii.gz"
            nib.save(nib.Nifti1Image(image.astype(np.float32), affine), scan)
            done = subprocess.run([deepmir, "anatomy", scan, "-o", out, "--overwrite"], capture_output=True, text=True)
            scan.unlink()
            report = next(out.glob(f"{name}*anatomy.json"), None)
            verdict = json.loads(report.read_text()) if report else {}
            found_path = out / f"{name}_desc-anatomy_dseg.nii.gz"
            if done.returncode != 0 or not found_path.exists():
                rows.append({"name": name, "thick": thick, "refused": 1.0})
                print(name, "refused:", done.stderr.strip()[-300:])
                continue
            found = np.asanyarray(nib.load(found_path).dataobj).astype(np.int16)
            mask = np.asanyarray(nib.load(out / f"{name}_desc-brain_mask.nii.gz").dataobj) > 0
            merged = truth.copy()
            for number_from, number_to in MERGED.items():
                merged[truth == number_from] = number_to
            brain = brain_mask(~np.isin(truth, list(OUTSIDE)))
            sizes = np.linalg.norm(affine[:3, :3], axis=0)
            row = {"name": name, "thick": thick, "refused": 0.0, "brain": dice(brain, mask),
                   "brain_hd95_mm": hausdorff95_mm(brain, mask, sizes)}
            for structure, numbers in {**NUCLEI, **OTHERS}.items():
                row[structure] = float(np.mean([dice(merged == n, found == n) for n in numbers]))
            row["nuclei"] = float(np.mean([row[n] for n in NUCLEI]))
            left = np.isin(merged, [n for n in SIDES if n in (2, 3, 7, 8, 10, 11, 12, 13, 17, 28)])
            right = np.isin(merged, [SIDES[n] for n in (2, 3, 7, 8, 10, 11, 12, 13, 17, 28)])
            lefts, rights = list(SIDES), list(SIDES.values())
            known = (left | right) & (np.isin(found, lefts) | np.isin(found, rights))
            row["side"] = float(np.mean(np.isin(found[known], lefts) == left[known]))
            row["verdict"] = str(verdict.get("verdict", ""))
            rows.append(row)
            print(name, " ".join(f"{k}={v:.3f}" for k, v in row.items() if isinstance(v, float)), flush=True)
            for left_over in out.glob(f"{name}*"):
                left_over.unlink()
    columns = [c for c in rows[0] if c not in ("name", "thick", "verdict")]
    with open(out / "figures.tsv", "w") as table:
        table.write("\t".join(["name", "thick", *columns]) + "\n")
        for row in rows:
            table.write("\t".join([row["name"], str(row["thick"]), *(f"{row.get(c, float('nan')):.4f}" for c in columns)]) + "\n")
    for thick in (False, True):
        chosen = [row for row in rows if row["thick"] == thick]
        print("slices of 3 mm:" if thick else "voxels of 1 mm:", len(chosen), "images")
        for column in columns:
            values = [row[column] for row in chosen if column in row]
            worst = max(values) if "hd95" in column or column == "refused" else min(values)
            print(f"  {column}: mean {np.mean(values):.3f}, worst {worst:.3f}")


main()
