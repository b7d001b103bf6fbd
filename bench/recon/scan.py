"""Raw gradient echoes of one BIDS scan, read for the chains that are written in Python."""

import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

GYROMAGNETIC_RATIO_HZ_PER_T = 42.577478518e6


@dataclass
class Scan:
    """Magnitude and phase (radians) of all echoes, echoes last, and how they were taken."""

    magnitude: np.ndarray
    phase: np.ndarray
    echo_times_s: np.ndarray
    field_strength_t: float
    direction: np.ndarray
    voxel_mm: np.ndarray
    affine: np.ndarray


def sidecar(image):
    """What the JSON file beside an image says."""
    return json.loads(Path(str(image).removesuffix(".nii.gz") + ".json").read_text())


def direction_of_field(told, affine):
    """Unit vector of the main field along the voxel axes, told or (head-first) from the affine."""
    if "B0Direction" in told:
        direction = np.array(told["B0Direction"], float)
    else:
        axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        direction = axes.T @ [0.0, 0.0, 1.0]
    return direction / np.linalg.norm(direction)


def in_radians(phase, units):
    """Phase in radians: what is not told to be that fills one turn over all echoes."""
    if units == "rad":
        return phase
    low, high = phase.min(), phase.max()
    return ((phase - low) * (2 * np.pi / (high - low)) - np.pi).astype(np.float32)


def read(magnitudes, phases):
    """Reads the echoes, shortest echo time first."""
    told = [sidecar(file) for file in phases]
    order = sorted(range(len(phases)), key=lambda echo: told[echo]["EchoTime"])
    first = nib.load(phases[0])
    load = lambda file: nib.load(file).get_fdata(dtype=np.float32)  # noqa: E731
    phase = np.stack([load(phases[echo]) for echo in order], axis=-1)
    return Scan(
        magnitude=np.stack([load(magnitudes[echo]) for echo in order], axis=-1),
        phase=in_radians(phase, told[0].get("Units")),
        echo_times_s=np.array([told[echo]["EchoTime"] for echo in order], np.float32),
        field_strength_t=told[0]["MagneticFieldStrength"],
        direction=direction_of_field(told[0], first.affine),
        voxel_mm=np.linalg.norm(first.affine[:3, :3], axis=0),
        affine=first.affine,
    )
