"""A small simulated subject, made and predicted by the command that the wheel installs."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

COARSE = """
[phantom.scan]
voxel_mm = [4.0, 4.0, 4.0]
matrix = [42, 50, 42]
fine_voxel_mm = 2.0
echo_times_s = [0.006, 0.018, 0.030]

[phantom.lesions]
lesion_free_probability = 0.0

[phantom.output]
true_parts = true
"""


def command(*arguments: object, **options: object) -> subprocess.CompletedProcess:
    """Run the command ``deepmir`` of the environment that the tests run in."""
    program = Path(sysconfig.get_path("scripts")) / "deepmir"
    words = [str(program), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, **options)


def voxels(path: Path) -> np.ndarray:
    """The voxels of a file, as floats."""
    return np.asarray(nib.load(path).dataobj, dtype=np.float32)


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Images, raw echoes and the truth of a simulated subject."""
    folder = tmp_path_factory.mktemp("subject")
    config = folder / "coarse.toml"
    config.write_text(COARSE)
    made = command("phantom", folder / "heads", "--raw", "--seed", 3, "--config", config)
    assert made.returncode == 0, made.stderr
    anat = folder / "heads/sub-01/anat"
    echoes = [1, 2, 3]
    truth = folder / "heads/derivatives/truth/sub-01/anat"
    return SimpleNamespace(
        folder=folder,
        swi=anat / "sub-01_acq-swi_T2starw.nii.gz",
        qsm=anat / "sub-01_Chimap.nii.gz",
        t2w=anat / "sub-01_T2w.nii.gz",
        magnitude=[anat / f"sub-01_echo-{n}_part-mag_MEGRE.nii.gz" for n in echoes],
        phase=[anat / f"sub-01_echo-{n}_part-phase_MEGRE.nii.gz" for n in echoes],
        truth=next(truth.glob("*_dseg.nii.gz")),
        r2=truth / "sub-01_R2map.nii.gz",
    )


#: Voxels along each axis of the part that most tests predict.
WIDTH = 12


@pytest.fixture(scope="session")
def small(subject: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The images around a lesion of the subject, with a mask."""
    folder = tmp_path_factory.mktemp("small")
    truth = nib.load(subject.truth)
    # Where its susceptibility is highest, so that the model finds it on these coarse voxels.
    of_lesions = voxels(subject.qsm) * (np.asarray(truth.dataobj) > 0)
    lesion = np.array(np.unravel_index(of_lesions.argmax(), truth.shape))
    low = np.clip(lesion - WIDTH // 2, 0, np.array(truth.shape) - WIDTH)
    part = tuple(slice(int(start), int(start) + WIDTH) for start in low)
    files = SimpleNamespace(mask=folder / "sub-01_desc-brain_mask.nii.gz")
    for name in ("swi", "qsm", "t2w"):
        path: Path = getattr(subject, name)
        image = nib.load(path).slicer[part]
        nib.save(image, folder / path.name)
        setattr(files, name, folder / path.name)
    inside = (np.asarray(image.dataobj) != 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(inside, image.affine), files.mask)
    return files


@pytest.fixture(scope="session")
def predicted(small: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line predicts for the small images."""
    folder = tmp_path_factory.mktemp("predicted")
    images = [word for name, path in vars(small).items() for word in (f"--{name}", path)]
    done = command("predict", *images, "-o", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture()
def arrays(small: SimpleNamespace) -> SimpleNamespace:
    """The small images as arrays."""
    images = {name: voxels(path) for name, path in vars(small).items()}
    return SimpleNamespace(**images, affine=nib.load(small.swi).affine)
