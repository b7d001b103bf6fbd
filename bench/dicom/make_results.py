#!/usr/bin/env python3
"""Draws lesions on a series of DICOM files, as results that `deepmir export` takes.

    python3 bench/dicom/make_results.py DICOM SERIES OUT

dcm2niix (Debian) converts the series, so that the label map has its order of voxels, which need not be that of
`deepmir import`. Lesions are balls of both classes, one of them at a corner of the volume. Needs
dcm2niix, nibabel and numpy.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import nibabel
import numpy as np

COLUMNS = ("lesion_id class certainty region mars_region lobe side x_mm y_mm z_mm volume_mm3 diameter_mm bombs_size "
           "n_voxels mean_probability max_probability chi_mean_ppm chi_total_ppm_mm3 swi_contrast t2w_contrast "
           "sphericity note lesion_probability").split()
PLACES = [("CMB", "frontal", "left"), ("CMB", "brainstem", "n/a"), ("CMB", "n/a", "n/a"),
          ("NHID", "basal_ganglia", "right")]


def main():
    dicom, series, out = sys.argv[1:]
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dcm2niix", "-f", "%s_%e", "-z", "n", "-o", folder, dicom], check=True, capture_output=True)
        # Without an echo number, dcm2niix says 0.
        path = next(p for n in (0, 1) if (p := pathlib.Path(folder) / f"{series}_{n}.nii").exists())
        image = nibabel.load(path)
        image = nibabel.Nifti1Image(np.asarray(image.dataobj).astype(np.float32), image.affine)
    swi = out / "sub-01_acq-swi_T2starw.nii.gz"
    nibabel.save(image, swi)
    random = np.random.default_rng(7)
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    index = np.stack(np.indices(image.shape), -1)
    labels, instances = (np.zeros(image.shape, np.uint8) for _ in range(2))
    rows = []
    for n, (name, region, side) in enumerate(PLACES, 1):
        centre = np.zeros(3) if n == 3 else random.uniform(1, np.array(image.shape) - 1)
        near = (((index - centre) * sizes) ** 2).sum(-1) <= (1.2 * sizes.max()) ** 2
        inside = near & (labels == 0)
        labels[inside] = 1 if name == "CMB" else 2
        instances[inside] = n
        volume = float(inside.sum() * sizes.prod())
        x, y, z = (image.affine @ [*index[inside].mean(0), 1])[:3]
        values = {"lesion_id": n, "class": name, "certainty": "definite", "mars_region": region, "side": side,
                  "x_mm": f"{x:.2f}", "y_mm": f"{y:.2f}", "z_mm": f"{z:.2f}", "volume_mm3": f"{volume:.3f}",
                  "diameter_mm": f"{(6 * volume / np.pi) ** (1 / 3):.2f}", "n_voxels": int(inside.sum()),
                  "chi_mean_ppm": "0.4321", "sphericity": "1.000", "lesion_probability": f"0.{9 - n}125"}
        rows.append([values.get(column, "n/a") for column in COLUMNS])
    for name, data in [("lesions", labels), ("instances", instances)]:
        nibabel.save(nibabel.Nifti1Image(data, image.affine), out / f"sub-01_acq-swi_seg-{name}_dseg.nii.gz")
    with (out / "sub-01_desc-lesions.tsv").open("w") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([COLUMNS, *rows])
    told = {"Sources": [str(swi.resolve())], "Model": "drawn", "ModelId": "0", "GeneratedBy": {"Version": "0"}}
    (out / "sub-01_acq-swi_seg-lesions_dseg.json").write_text(json.dumps(told))


main()
