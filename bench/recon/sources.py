"""What becomes of the drawn lesions: strength, sign, and streaks around the strong ones."""

import csv
from dataclasses import dataclass

import numpy as np

KINDS = ("CMB", "NHID", "calcification")
LEAST_DIAMETER_MM = 2.0
MARGIN_MM = 1.5
STRONG_PPM = 1.0
STREAKS_MM = (1.5, 5.0)
LEAST_STREAK_VOXELS = 100


@dataclass
class Source:
    """A compact source: centre in RAS millimetres, volume and susceptibility."""

    kind: str
    centre_mm: np.ndarray
    volume_mm3: float
    chi_ppm: float

    @property
    def radius_mm(self):
        return (3 * self.volume_mm3 / (4 * np.pi)) ** (1 / 3)


def read(file):
    """Lesions of at least 2 mm in a list of sources; vessels and cavernomas are not compact."""
    found = []
    with open(file, newline="") as text:
        for row in csv.DictReader(text, delimiter="\t"):
            centre = np.array([float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")])
            source = Source(row["kind"], centre, float(row["volume_mm3"]), float(row["chi_ppm"]))
            diameter = float(row.get("diameter_mm") or 2 * source.radius_mm)
            if source.kind in KINDS and diameter >= LEAST_DIAMETER_MM:
                found.append(source)
    return found


def around(source, reach_mm, affine, shape):
    """Index of all voxels within a distance of the source's centre, and their distances."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    centre = np.linalg.solve(affine[:3, :3], source.centre_mm - affine[:3, 3])
    low = np.clip(np.floor(centre - reach_mm / sizes), 0, np.array(shape)).astype(int)
    high = np.clip(np.ceil(centre + reach_mm / sizes) + 1, 0, np.array(shape)).astype(int)
    index = np.stack(
        np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1
    ).reshape(-1, 3)
    distance = np.linalg.norm(index @ affine[:3, :3].T + affine[:3, 3] - source.centre_mm, axis=1)
    near = distance <= reach_mm
    return tuple(index[near].T), distance[near]


def strength_ppm_mm3(chi, region, source, affine):
    """Sum over a ball around the source above the median of a shell around that, in ppm·mm³.

    `None` where more than half of the source, or of ball and shell, lies outside the region.
    """
    ball = source.radius_mm + MARGIN_MM
    index, distance = around(source, ball + MARGIN_MM, affine, chi.shape)
    given = region[index]
    core = given[distance <= source.radius_mm]
    inner, outer = given & (distance <= ball), given & (distance > ball)
    if 2 * (~core).sum() > core.size or 2 * (~given).sum() > given.size:
        return None
    if not inner.any() or not outer.any():
        return None
    values = chi[index]
    above = values[inner] - np.median(values[outer])
    return float(above.sum() * abs(np.linalg.det(affine[:3, :3])))


def lesions(chi, truth, region, sources, affine):
    """Each lesion with its sign and its strength over the truth's; none where it is not given."""
    rows = []
    for source in sources:
        pair = [strength_ppm_mm3(image, region, source, affine) for image in (chi, truth)]
        row = {"kind": source.kind, "volume_mm3": source.volume_mm3, "chi_ppm": source.chi_ppm}
        row.update(zip(("x_mm", "y_mm", "z_mm"), source.centre_mm, strict=True))
        if None in pair or pair[1] == 0:
            row.update(given=0, sign_right="", strength_over_truth="")
        else:
            right = int(pair[0] * source.chi_ppm > 0)
            row.update(given=1, sign_right=right, strength_over_truth=pair[0] / pair[1])
        rows.append(row)
    return rows


def streaks_ppm(chi, truth, region, sources, affine):
    """Deviation of the error 1.5 to 5 mm outside lesions of at least 1 ppm, the mean of all."""
    deviations = []
    for source in sources:
        if abs(source.chi_ppm) < STRONG_PPM:
            continue
        near, far = (source.radius_mm + distance for distance in STREAKS_MM)
        index, distance = around(source, far, affine, chi.shape)
        counted = region[index] & (distance > near)
        if counted.sum() >= LEAST_STREAK_VOXELS:
            deviations.append(float(np.std((chi[index] - truth[index])[counted])))
    return float(np.mean(deviations)) if deviations else float("nan")
