"""Checks `deepmir model import` end to end with a 3D U-Net of PyTorch: `check_import.py DEEPMIR BIDS NETWORK OUT`.

NETWORK is the folder that `foreign_unet.py train BIDS NETWORK` made (sub-01 to sub-07 of BIDS). Imports it, predicts sub-08
and compares the maps with those of PyTorch over the same windows; fits a candidate classifier on sub-08 and sub-09
(`model adapt`), and evaluates sub-10 to sub-12 with and without it. Needs torch, nibabel, numpy. It ran with torch
2.15.0, nibabel 5.4.2 and numpy 2.4.6.
"""

import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

import foreign_unet

PLAN = """
name = "foreign-unet"
licence = "MIT"
data = "sub-01 to sub-07 of a simulated cohort"

[plan]
inputs = ["SWI", "QSM", "T2w"]
classes = ["CMB", "NHID"]
context_slices = 1
normalisation = [
    { method = "z-score-brain", clip = 8.0 },
    { method = "fixed-scale", scale_ppm = 0.1, clip = 8.0 },
    { method = "z-score-brain", clip = 8.0 },
]

[onnx]
outputs = ["background", "CMB", "NHID"]
activation = "softmax"
axes = "zyx"
window = [24, 64, 64]

[detection]
candidate_threshold = 0.3
[detection.classes.CMB]
detection_threshold = 0.5
min_volume_mm3 = 0.0
[detection.classes.NHID]
detection_threshold = 0.5
min_volume_mm3 = 0.0
"""
MARGIN_MM = 6.0
ENDINGS = {"swi": "acq-swi_T2starw", "qsm": "Chimap", "t2w": "T2w"}


def prepared(anat, brain, sizes):
    """The images as the network gets them, and where they were cut out."""
    inside = np.nonzero(brain)
    margin = np.ceil(MARGIN_MM / np.array(sizes)).astype(int)
    box = tuple(
        slice(max(at.min() - more, 0), min(at.max() + 1 + more, length))
        for at, more, length in zip(inside, margin, brain.shape)
    )
    images = []
    for name, ending in ENDINGS.items():
        image = nibabel.load(f"{anat}_{ending}.nii.gz").get_fdata()
        image = image / 0.1 if name == "qsm" else (image - image[brain].mean()) / image[brain].std()
        images.append(np.where(brain, np.clip(image, -8, 8), 0)[box])
    return np.stack(images).astype(np.float32), box


def main():
    deepmir, bids, network, out = sys.argv[1:]
    bids, out = Path(bids), Path(out)
    out.mkdir(parents=True)
    run = lambda *line: subprocess.run([deepmir, *map(str, line)], check=True, capture_output=True, text=True).stdout  # noqa: E731
    (out / "plan.toml").write_text(PLAN)
    lab = out / "lab.deepmir"
    print(run("model", "import", f"{network}/unet.onnx", "--plan", out / "plan.toml", "-o", lab).strip())
    print(run("model", "verify", lab).strip())

    anat = bids / "sub-08/anat/sub-08"
    mask = bids / "derivatives/truth/sub-08/anat/sub-08_desc-brain_mask.nii.gz"
    line = [part for name, ending in ENDINGS.items() for part in (f"--{name}", f"{anat}_{ending}.nii.gz")]
    run("predict", *line, "--mask", mask, "--model", lab, "-o", out / "sub-08")
    image = nibabel.load(mask)
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S"), "this script takes images in RAS"
    brain = image.get_fdata() > 0.5
    images, box = prepared(anat, brain, image.header.get_zooms()[:3])
    maps = foreign_unet.maps(network, images)
    for name, theirs in zip(("CMB", "NHID"), maps):
        ours = nibabel.load(next((out / "sub-08").glob(f"*_label-{name}_probseg.nii.gz"))).get_fdata()
        difference = np.abs(ours[box] - np.where(brain[box], theirs, 0)).max()
        print(f"{name}: highest {ours.max():.3f}, largest difference from PyTorch {difference:.1e} (limit 1e-4)")
        if not difference <= 1e-4:
            raise SystemExit(f"the maps of {name} differ")

    print(run("model", "adapt", lab, bids, "-o", out / "adapted.deepmir", "--participant-label", "08", "09").strip())
    labels = ["10", "11", "12"]
    truth = out / "truth"
    truth.mkdir()
    for label in labels:
        (truth / f"sub-{label}").symlink_to((bids / f"derivatives/truth/sub-{label}").resolve())
    for name in ("lab", "adapted"):
        predicted = out / f"predicted-{name}"
        run("run", bids, predicted, "participant", "--participant-label", *labels, "--model", out / f"{name}.deepmir",
            "--masks", bids / "derivatives/truth", "-q")  # fmt: skip
        run("evaluate", "--truth", truth, "--pred", predicted, "--min-volume", 1, "-o", out / f"evaluated-{name}")
        for result in json.loads((out / f"evaluated-{name}/evaluation.json").read_text())["classes"]:
            metrics = {key: result["metrics"] and dict(result["metrics"])[key] for key in ("sensitivity", "precision", "f1")}
            shown = ", ".join(f"{key} {value['value']:.2f}" for key, value in metrics.items() if value.get("value") is not None)
            print(f"{name}, sub-10 to sub-12: {result['truth']} {result['class']}: {shown}")


if __name__ == "__main__":
    main()
