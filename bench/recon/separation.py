"""Paramagnetic and diamagnetic susceptibility as `deepmir recon` writes them, against the drawn.

    python separation.py HEADS NAME=MAPS...

HEADS is a dataset of `deepmir phantom --raw` with `true_parts`. Each MAPS is the folder of a
`deepmir recon` of it: one with R2 as the phantom has it, others with a share of R2* for R2. What a
source holds is summed over a ball above the median of a shell around it (sources.py) and compared
with the drawn susceptibility times volume. Tissues are told by the true maps: the mean of what was
found in each, and of what is true.
"""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
import sources

# What the true parts are in each tissue, ppm: least and most of χ⁺, least and most of χ⁻.
TISSUES = {
    "white matter": ((0, 0.02), (-0.06, -0.028)),
    "cortex": ((0.022, 0.045), (-0.025, -0.014)),
    "pallidum, nigra, red and dentate nucleus": ((0.08, 0.3), (-0.03, 0)),
}
PARTS = ("paramagneticmap", "diamagneticmap")


def load(folder, name, suffix):
    image = nib.load(folder / name / "anat" / f"{name}_{suffix}.nii.gz")
    return image.get_fdata(dtype=np.float32), image.affine


def subject(heads, maps, name):
    """Rows of sources (kind, drawn, found in χ, χ⁺ and χ⁻) and of tissues (name, true and found parts)."""
    truth = heads / "derivatives" / "truth"
    chi, affine = load(maps, name, "Chimap")
    found = [load(maps, name, part)[0] for part in PARTS]
    true = [load(truth, name, part)[0] for part in PARTS]
    region = (found[0] != 0) | (found[1] != 0)
    drawn = sources.read(truth / name / "anat" / f"{name}_desc-sources_list.tsv")
    of_sources = []
    for source in drawn:
        held = [sources.strength_ppm_mm3(m, region, source, affine) for m in (chi, *found)]
        if all(value is not None for value in held):
            of_sources.append((source.kind, source.chi_ppm * source.volume_mm3, *held))
    plain = region.copy()
    for source in drawn:
        index, _ = sources.around(source, source.radius_mm + 4, affine, chi.shape)
        plain[index] = False
    of_tissues = []
    for tissue, (positive, negative) in TISSUES.items():
        inside = plain.copy()
        for image, (least, most) in zip(true, (positive, negative), strict=True):
            inside &= (image >= least) & (image <= most)
        if inside.sum() >= 200:
            means = [image[inside].mean() for image in (*true, *found)]
            of_tissues.append((tissue, *means))
    return of_sources, of_tissues


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("heads", type=Path)
    parser.add_argument("maps", nargs="+", metavar="NAME=MAPS")
    asked = parser.parse_args()
    for given in asked.maps:
        title, folder = given.split("=", 1)
        folder = Path(folder)
        names = sorted(path.name for path in folder.glob("sub-*"))
        both = [subject(asked.heads, folder, name) for name in names]
        print(f"## {title}: {len(names)} heads")
        print("kind\tsources\tslope\tcorrelation\tslope of chi\twrong part")
        rows = [row for of_sources, _ in both for row in of_sources]
        for kind in ("CMB", "NHID", "calcification"):
            chosen = np.array([row[1:] for row in rows if row[0] == kind])
            if len(chosen) < 3:
                continue
            drawn, chi, positive, negative = chosen.T
            own, other = (negative, positive) if kind == "calcification" else (positive, negative)
            slope, of_chi = (drawn @ part / (drawn @ drawn) for part in (own, chi))
            correlation = np.corrcoef(drawn, own)[0, 1]
            # A source has one sign: what the wrong part holds, relative to the drawn.
            wrong = np.sum(np.abs(other)) / np.sum(np.abs(drawn))
            print(kind, len(drawn), f"{slope:.2f}\t{correlation:.3f}\t{of_chi:.2f}\t{wrong:.2f}", sep="\t")
        print("tissue\theads\ttrue chi+\tfound\ttrue chi-\tfound")
        rows = [row for _, of_tissues in both for row in of_tissues]
        for tissue in TISSUES:
            chosen = np.array([row[1:] for row in rows if row[0] == tissue])
            if len(chosen):
                mean, spread = chosen.mean(0), chosen.std(0)
                text = (f"{mean[0]:.3f}\t{mean[2]:.3f} (sd {spread[2]:.3f})\t"
                        f"{mean[1]:.3f}\t{mean[3]:.3f} (sd {spread[3]:.3f})")
                print(tissue, len(chosen), text, sep="\t")


if __name__ == "__main__":
    main()
