"""Checks `deepmir cohort nnunet` with nnU-Net's own `verify_dataset_integrity`: `check_nnunet.py DEEPMIR`.

Makes six coarse phantoms, takes the label map of one away, writes the data set, and sees that nnU-Net accepts it, that
voxels and places are those of the phantoms, and that each labelled scan is held out once. It ran with nnunetv2 2.8.1.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np

PHANTOM = """
[phantom.scan]
voxel_mm = [3.0, 3.0, 3.0]
matrix = [64, 76, 60]
echo_times_s = [0.006, 0.012, 0.018]
fine_voxel_mm = 1.5
"""


def main():
    deepmir = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "phantom.toml").write_text(PHANTOM)
        bids, raw = scratch / "bids", scratch / "raw"
        config = ["--config", scratch / "phantom.toml"]
        for line in (["phantom", bids, "--subjects", 6, *config], ["cohort", "nnunet", bids, "-o", raw, "--folds", 5]):
            if line[0] == "cohort":
                next(bids.rglob("sub-*6_seg-lesions_dseg.nii.gz")).unlink()
            subprocess.run([deepmir, *map(str, line)], check=True)
        folder = raw / "Dataset501_Lesions"
        for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            os.environ[name] = str(raw)
        from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

        verify_dataset_integrity(str(folder), num_processes=2)
        splits = json.loads((folder / "splits_final.json").read_text())
        names = sorted(path.name.removesuffix(".nii.gz") for path in (folder / "labelsTr").iterdir())
        assert sorted(name for split in splits for name in split["val"]) == names and len(names) == 5
        assert all(sorted(split["train"] + split["val"]) == names for split in splits)
        assert len(list((folder / "imagesTs").iterdir())) == 3
        for name in names:
            for channel, pattern in enumerate(("_acq-swi_T2starw", "_Chimap", "_T2w")):
                ours = nibabel.load(next((bids / name.split("_")[0]).rglob(f"{name}{pattern}.nii.gz")))
                theirs = nibabel.load(folder / f"imagesTr/{name}_{channel:04}.nii.gz")
                assert np.array_equal(ours.affine, theirs.affine)
                ours, theirs = (image.get_fdata(dtype=np.float32) for image in (ours, theirs))
                assert np.array_equal(ours[theirs != 0], theirs[theirs != 0])
        print(f"nnU-Net accepts {folder.name} of {len(names)} scans; voxels, places and folds agree")


if __name__ == "__main__":
    main()
