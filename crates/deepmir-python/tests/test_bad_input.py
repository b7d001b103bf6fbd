"""Bad input is a clear exception: never a panic, never an abort."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import deepmir
from conftest import command


def refused(words: str, kind: type = deepmir.DeepmirError, **arguments: object) -> None:
    with pytest.raises(kind, match=f"(?s){words}") as error:
        deepmir.predict(**arguments)
    assert "internal error" not in str(error.value)


def changed(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array[tuple(length // 2 for length in array.shape)] = value
    return array


def test_shapes(arrays):
    affine = arrays.affine
    refused("give at least one image")
    refused("three axes: swi", swi=arrays.swi[0], affine=affine)
    refused("three axes: swi", swi=np.float32(1), affine=affine)
    refused("three axes: swi", swi=np.stack([arrays.swi] * 2, axis=3), affine=affine)
    refused("a volume of 0 × 5 × 5 voxels cannot be: swi", swi=np.zeros((0, 5, 5)), affine=affine)
    refused("different shapes", swi=arrays.swi, qsm=arrays.qsm[1:], affine=affine)
    refused("different shapes", swi=arrays.swi, mask=arrays.swi[1:] > 0, affine=affine)
    # A last axis of length 1 is none.
    deepmir.predict(swi=arrays.swi[..., np.newaxis], mask=arrays.mask, affine=affine)
    # One voxel is no brain.
    refused("swi", swi=np.ones((1, 1, 1)), affine=affine)


def test_types(arrays):
    affine = arrays.affine
    for image in (arrays.swi.astype(complex), arrays.swi.astype(str), arrays.swi.astype(object)):
        refused("swi", TypeError, swi=image, affine=affine)
    for image in ({"a": 1}, object(), [[1, "x"]], np.zeros((4, 4, 4), dtype=[("r", "u1")])):
        refused("swi", deepmir.DeepmirError, swi=image, affine=affine)
    refused("masked", TypeError, swi=np.ma.masked_less(arrays.swi, 1), affine=affine)
    refused("model is 3", TypeError, swi=arrays.swi, affine=affine, model=3)
    refused("threads is 'x'", TypeError, swi=arrays.swi, affine=affine, threads="x")
    refused("threads is 0", swi=arrays.swi, affine=affine, threads=0)
    refused("progress is 3", TypeError, swi=arrays.swi, affine=affine, progress=3)
    with pytest.raises(TypeError):
        deepmir.predict(arrays.swi)  # keywords only


def test_affines(small, arrays):
    refused("needs an affine", swi=arrays.swi)
    refused("shape \\(3, 3\\)", swi=arrays.swi, affine=np.eye(3))
    refused("no matrix of numbers", TypeError, swi=arrays.swi, affine="x")
    singular = np.diag([1.0, 1.0, 0.0, 1.0])
    for affine in (singular, np.zeros((4, 4)), np.full((4, 4), np.nan)):
        refused("has no inverse.*swi", swi=arrays.swi, affine=affine)
    refused("last row", swi=arrays.swi, affine=np.ones((4, 4)) + np.eye(4))
    refused("leave it out", swi=small.swi, affine=arrays.affine)
    # The affine of another image.
    image = nib.load(small.swi)
    moved = image.affine.copy()
    moved[0, 3] += 5
    other = nib.Nifti1Image(arrays.qsm, moved)
    refused("do not share a grid.*qsm", swi=image, qsm=other)
    refused("do not share a grid", swi=image, qsm=arrays.qsm, affine=moved)
    refused("do not share a grid", swi=image, mask=nib.Nifti1Image(arrays.swi, moved))


def test_values(arrays):
    affine = arrays.affine
    for value in (np.nan, np.inf, -np.inf):
        refused(
            "1 of 1728 voxels are NaN or infinite.*nan_to_zero=True: swi",
            swi=changed(arrays.swi, value),
            affine=affine,
        )
    refused("NaN or infinite", swi=changed(arrays.swi.astype(np.float64), 1e300), affine=affine)
    rest = {"mask": arrays.mask, "affine": affine}
    result = deepmir.predict(swi=changed(arrays.swi, np.nan), nan_to_zero=True, **rest)
    zero = deepmir.predict(swi=changed(arrays.swi, 0), **rest)
    assert np.array_equal(result.probabilities["CMB"], zero.probabilities["CMB"])
    refused("NaN", swi=arrays.swi, mask=changed(arrays.swi, np.nan), affine=affine)
    refused("brain mask is needed.*give one with mask=: swi", swi=arrays.swi + 1000, affine=affine)
    refused("brain mask is empty.*mask", swi=arrays.swi, mask=arrays.swi * 0, affine=affine)
    refused("swi", swi=np.zeros_like(arrays.swi), affine=affine)


def test_files_have_the_words_of_the_command_line(tmp_path):
    missing = tmp_path / "missing.nii.gz"
    with pytest.raises(FileNotFoundError) as error:
        deepmir.predict(swi=missing)
    done = command("predict", "--swi", missing, "-o", tmp_path)
    assert done.stderr.strip() == f"error: {error.value}" and done.returncode == 1
    text = tmp_path / "text.nii"
    text.write_text("no image")
    with pytest.raises(deepmir.DeepmirError) as error:
        deepmir.predict(swi=text)
    done = command("predict", "--swi", text, "-o", tmp_path)
    assert done.stderr.strip() == f"error: {error.value}"
    refused("no path", swi="")
    refused("no path", swi="a\0b")
    refused("", swi=tmp_path)


def test_what_cannot_be_written(arrays, tmp_path):
    result = deepmir.predict(**vars(arrays))
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(deepmir.DeepmirError, match="cannot write.*file"):
        result.save(file / "folder")


def test_echoes(subject):
    mag, phase = subject.magnitude, subject.phase

    def refused(words: str, **arguments: object) -> None:
        with pytest.raises(deepmir.DeepmirError, match=f"(?s){words}") as error:
            deepmir.recon(**arguments)
        assert "internal error" not in str(error.value)

    images = [nib.load(path) for path in mag]
    phases = [nib.load(path) for path in phase]
    refused("2 images for magnitude and 3 for phase", magnitude=mag[:2], phase=phase)
    refused("none of them", magnitude=[mag[0], images[1]], phase=phase[:2])
    refused("none of them", magnitude=images, phase=phase)
    refused("no echoes", magnitude=[], phase=[])
    refused("field strength", magnitude=images, phase=phases, echo_times=[0.006, 0.018, 0.03])
    refused(
        "2 echo times for 3 echoes",
        magnitude=images,
        phase=phases,
        echo_times=[0.006, 0.018],
        field_strength=3,
    )
    refused("out of order", magnitude=images, phase=phases, echo_times=[0.03, 0.018, 0.006], field_strength=3)
    refused("of 6 s cannot be", magnitude=images[:1], phase=phases[:1], echo_times=6, field_strength=3)
    refused("9000 T", magnitude=images[:1], phase=phases[:1], echo_times=0.006, field_strength=9000)
    refused("give numbers", magnitude=images, phase=phases, echo_times="x", field_strength=3)
    refused("phase_units is .furlongs.*degrees", magnitude=mag, phase=phase, phase_units="furlongs")
    refused("inversion is .x.; there are tv, tkd and l2", magnitude=mag, phase=phase, inversion="x")
    refused("give 3 numbers", magnitude=mag, phase=phase, b0_direction=[0, 1])
    refused("affine of its own", magnitude=mag, phase=phase, t2w=np.zeros((4, 4, 4)))
    refused("needs an affine", magnitude=[np.ones((4, 4, 4))], phase=[np.ones((4, 4, 4))])
    refused("no series of echoes", magnitude=np.ones((4, 4)), phase=np.ones((4, 4)))
    flat = [np.ones(images[0].shape)]
    refused(
        "there is no phase in it|neither radians",
        magnitude=flat,
        phase=flat,
        affine=images[0].affine,
        echo_times=[0.006],
        field_strength=3,
    )


def test_label_maps(arrays):
    def refused(words: str, truth: object, prediction: object, **arguments: object) -> None:
        with pytest.raises(deepmir.DeepmirError, match=f"(?s){words}") as error:
            deepmir.evaluate(truth, prediction, **arguments)
        assert "internal error" not in str(error.value)

    labels, affine = np.zeros((8, 8, 8), np.uint8), np.eye(4)
    refused("no whole numbers.*truth", labels + 0.5, labels, affine=affine)
    refused("no whole numbers", labels * np.nan, labels, affine=affine)
    refused("7 \\(512 voxels\\) in a label map.*prediction", labels, labels + 7, affine=affine)
    refused("no label map", labels, labels.astype(np.int64) + 2**40, affine=affine)
    refused("share a grid", labels, labels[1:], affine=affine)
    refused("no matching rule", labels, labels, affine=affine, match="x")
    refused("give 26 or 6", labels, labels, affine=affine, connectivity=18)
    refused("no lesion class", labels, labels, affine=affine, classes=["WMH"])
    refused("no number", labels, labels, affine=affine, resamples="x")
    refused("seed is -1", labels, labels, affine=affine, seed=-1)
    refused("needs an affine", labels, labels)
    refused("cannot read.*/no/such", "/no/such", "/no/such/either")
    refused("empty|voxels cannot be", labels[:0], labels[:0], affine=affine)
