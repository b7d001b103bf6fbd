"""Draws the pictures of docs/recon.md.

    python make_figures.py RAW_STEM RESULT_STEM [TRUE_CHI]

RAW_STEM: what the raw echoes' names begin with (`…/anat/sub-01`); RESULT_STEM: the same of the files
that the example program `reconstruct` wrote. Made with numpy 2, nibabel 5 and matplotlib 3.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

HERE = Path(__file__).parent


def load(path):
    image = nib.as_closest_canonical(nib.load(path))
    return np.asarray(image.dataobj, dtype=np.float32), image.header.get_zooms()[:3]


def mosaic(name, panels):
    """A row of (title, volume, lowest, highest) panels: an axial, a coronal and a sagittal slice each."""
    figure, axes = plt.subplots(3, len(panels), figsize=(2.3 * len(panels), 6.0), squeeze=False)
    for column, (title, (volume, sizes), low, high) in enumerate(panels):
        nx, ny, nz = volume.shape
        slices = [
            (volume[:, :, round(0.46 * nz)], sizes[1] / sizes[0]),
            (volume[:, round(0.52 * ny), :], sizes[2] / sizes[0]),
            (volume[round(0.63 * nx), :, :], sizes[2] / sizes[1]),
        ]
        for axis, (picture, aspect) in zip(axes[:, column], slices):
            axis.imshow(picture.T, origin="lower", cmap="gray", vmin=low, vmax=high, aspect=aspect)
            axis.axis("off")
        axes[0, column].set_title(title, fontsize=9)
    figure.subplots_adjust(0, 0, 1, 0.95, 0.02, 0.02)
    figure.savefig(HERE / f"{name}.png", dpi=72, pil_kwargs={"optimize": True})
    plt.close(figure)


def main(raw, result, truth=None):
    def echo(number, part):
        return load(f"{raw}_echo-{number}_part-{part}_MEGRE.nii.gz")

    def out(suffix):
        return load(f"{result}_{suffix}.nii.gz")

    first = echo(1, "mag")
    high = np.percentile(first[0], 99.5)
    mosaic(
        "1-echoes",
        [
            ("magnitude, 6 ms", first, 0, high),
            ("magnitude, 30 ms", echo(5, "mag"), 0, high),
            ("phase, 6 ms", echo(1, "phase"), -np.pi, np.pi),
            ("phase, 30 ms", echo(5, "phase"), -np.pi, np.pi),
        ],
    )
    brain, reliable = out("desc-brain_mask"), out("desc-reliable_mask")
    shown = first[0] / high * 0.6
    mosaic(
        "2-brain",
        [
            ("brain", (shown + 0.4 * brain[0], brain[1]), 0, 1),
            ("reliable part", (shown + 0.4 * reliable[0], brain[1]), 0, 1),
            ("quality of the field", out("desc-quality_fieldmap"), 0, 1),
        ],
    )
    mosaic(
        "3-field",
        [
            ("total field, ±60 Hz", out("desc-total_fieldmap"), -60, 60),
            ("local field, ±5 Hz", out("desc-local_fieldmap"), -5, 5),
        ],
    )
    panels = [("susceptibility, ±0.15 ppm", out("Chimap"), -0.15, 0.15)]
    if truth:
        true, sizes = load(truth)
        inside = reliable[0] > 0
        true = np.where(inside, true - np.median(true[inside]), 0)
        panels.append(("truth", (true, sizes), -0.15, 0.15))
        panels.append(("difference", (panels[0][1][0] - true, sizes), -0.15, 0.15))
    mosaic("4-susceptibility", panels)
    swi = out("acq-swi_T2starw")
    high = np.percentile(swi[0], 99.5)
    mosaic(
        "5-swi-r2star",
        [
            ("SWI", swi, 0, high),
            ("minIP, 8 mm", out("minIP"), 0, high),
            ("R2*, 0–60 /s", out("R2starmap"), 0, 60),
        ],
    )
    aligned = Path(f"{result}_T2w.nii.gz")
    if aligned.exists():
        volume = load(aligned)
        mosaic("6-aligned", [("echo 1", first, 0, np.percentile(first[0], 99.5)),
                             ("T2w, registered", volume, 0, np.percentile(volume[0], 99.7))])


if __name__ == "__main__":
    main(*sys.argv[1:])
