"""Both parts of the susceptibility of simulated microbleeds and calcifications against the drawn.

    python separation.py PHANTOMS SUBJECT... [--shares 0.5 0.6 0.7]

PHANTOMS is a folder of `deepmir phantom --raw` with evenly spaced echoes. Its susceptibility maps
are those of the chain; R2* is fitted here to the magnitudes (ARLO) and separated by the voxelwise
formula of docs/recon.md, with a fixed share of R2* for R2. What a source holds is summed over a ball
above the median of a shell around it (sources.py) and compared with the drawn susceptibility times
volume.
"""

import argparse
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import sources

HZ_PER_PPM_3T = 137.0
LARGEST_R2_STAR_PER_S = 1000.0


def arlo(signals, step_s):
    """R2* per second of evenly spaced echoes (Pei 2015)."""
    third = step_s / 3
    areas = mixed = falls = 0.0
    for first, middle, last in zip(signals, signals[1:], signals[2:]):
        area, fall = third * (first + 4 * middle + last), first - last
        areas, mixed, falls = areas + area**2, mixed + area * fall, falls + fall**2
    below = areas + third * mixed
    rate = np.divide(mixed + third * falls, below, out=np.zeros_like(below), where=below > 0)
    return rate.clip(0, LARGEST_R2_STAR_PER_S)


def parts(chi_ppm, r2_prime_ppm):
    """Paramagnetic and diamagnetic susceptibility of both equations in least squares."""
    return (
        np.maximum(chi_ppm + r2_prime_ppm, 0) / 2,
        np.minimum(chi_ppm - r2_prime_ppm, 0) / 2,
    )


def subject(phantoms, name, shares):
    """Of each source and share: kind, share, and strength as drawn, in χ, in χ⁺ and in χ⁻."""
    anat = phantoms / name / "anat"
    truth = phantoms / "derivatives" / "truth" / name / "anat"
    image = nib.load(anat / f"{name}_Chimap.nii.gz")
    chi = image.get_fdata(dtype=np.float32)
    echoes = sorted(anat.glob("*_part-mag_MEGRE.nii.gz"))
    signals = [nib.load(echo).get_fdata(dtype=np.float32) for echo in echoes]
    sidecars = [json.loads(Path(str(e).replace(".nii.gz", ".json")).read_text()) for e in echoes]
    times = [sidecar["EchoTime"] for sidecar in sidecars]
    per_ppm = HZ_PER_PPM_3T * sidecars[0]["MagneticFieldStrength"] / 3
    region = chi != 0
    rate = arlo(signals, times[1] - times[0]) * region
    drawn = sources.read(truth / f"{name}_desc-sources_list.tsv")
    for share in shares:
        positive, negative = parts(chi, (1 - share) * rate / per_ppm)
        for source in drawn:
            maps = (chi, positive * region, negative * region)
            found = [sources.strength_ppm_mm3(m, region, source, image.affine) for m in maps]
            if all(value is not None for value in found):
                yield source.kind, share, source.chi_ppm * source.volume_mm3, *found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("subjects", nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.6, 0.7])
    asked = parser.parse_args()
    rows = [row for name in asked.subjects for row in subject(asked.phantoms, name, asked.shares)]
    print("kind\tshare\tsources\tpart\tslope\tcorrelation\tleaked")
    for kind in ("CMB", "calcification"):
        for share in asked.shares:
            chosen = np.array([row[2:] for row in rows if row[:2] == (kind, share)])
            if len(chosen) < 3:
                continue
            drawn, *maps = chosen.T
            own, other = (maps[1], maps[2]) if kind == "CMB" else (maps[2], maps[1])
            # What the wrong part holds, relative to the drawn: a source has one sign.
            leaked = np.sum(np.abs(other)) / np.sum(np.abs(drawn))
            for part, found in (("chi", maps[0]), ("own", own)):
                slope = drawn @ found / (drawn @ drawn)
                correlation = np.corrcoef(drawn, found)[0, 1]
                print(kind, share, len(drawn), part, f"{slope:.3f}", f"{correlation:.3f}",
                      f"{leaked:.3f}" if part == "own" else "n/a", sep="\t")


if __name__ == "__main__":
    main()
