"""Reconstruction and evaluation equal the command line's."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas
import pytest

import deepmir
from conftest import command, voxels

MAPS = {
    "swi": "acq-swi_T2starw",
    "minimum_intensity_projection": "minIP",
    "qsm": "Chimap",
    "r2star": "R2starmap",
    "mask": "desc-brain_mask",
    "reliable": "desc-reliable_mask",
    "quality": "desc-quality_fieldmap",
    "t2w": "T2w",
}


@pytest.fixture(scope="module")
def made(subject, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recon")
    echoes = ["--mag", *subject.magnitude, "--phase", *subject.phase, "--t2w", subject.t2w]
    done = command("recon", *echoes, "-o", folder)
    assert done.returncode == 0, done.stderr
    return folder


def inputs(kind: str, subject) -> dict:
    if kind == "paths":
        return {"magnitude": subject.magnitude, "phase": subject.phase}
    images = [[nib.load(path) for path in paths] for paths in (subject.magnitude, subject.phase)]
    known = {"echo_times": [0.006, 0.018, 0.030], "field_strength": 3}
    if kind == "images":
        return {"magnitude": images[0], "phase": images[1], **known}
    stacks = [np.stack([np.asarray(image.dataobj) for image in each], axis=3) for each in images]
    return {"magnitude": stacks[0], "phase": stacks[1], "affine": images[0][0].affine, **known}


@pytest.mark.parametrize("kind", ["paths", "images", "arrays"])
def test_maps_are_the_command_lines_bit_for_bit(kind, subject, made, tmp_path):
    stages = []
    result = deepmir.recon(
        **inputs(kind, subject),
        t2w=subject.t2w,
        progress=lambda stage, done, total: stages.append((stage, done, total)),
    )
    for name, ending in MAPS.items():
        stored = voxels(made / f"sub-01_{ending}.nii.gz")
        assert np.array_equal(getattr(result, name), stored), name
    assert result.phase == "radians"
    assert result.mask.dtype == np.bool_ and result.qsm.dtype == np.float32
    assert stages[0] == ("reading", 0, 11) and stages[-1] == ("aligning T2w", 10, 11)
    result.save(tmp_path, name="sub-01")
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in made.iterdir()}
    for path in made.iterdir():
        if kind == "paths" or path.suffix != ".json":
            assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


@pytest.mark.parametrize("kind", ["paths", "arrays"])
def test_both_parts_of_susceptibility_are_the_command_lines(kind, subject, tmp_path):
    echoes = ["--mag", *subject.magnitude, "--phase", *subject.phase]
    done = command("recon", *echoes, "--r2", subject.r2, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    result = deepmir.recon(
        **inputs(kind, subject), r2=subject.r2 if kind == "paths" else voxels(subject.r2)
    )
    for name in ("paramagnetic", "diamagnetic"):
        stored = voxels(tmp_path / f"sub-01_{name}map.nii.gz")
        assert np.array_equal(getattr(result, name), stored) and stored.any(), name
    with pytest.warns(deepmir.DeepmirWarning, match="0.6 of R2"):
        assumed = deepmir.recon(**inputs(kind, subject), r2_share=0.6)
    assert "r2_assumed" in assumed.warnings and (assumed.diamagnetic <= 0).all()
    with pytest.raises(deepmir.DeepmirError, match="give 1/T2"):
        times = nib.load(subject.r2)
        times = nib.Nifti1Image(np.full(times.shape, 70, dtype=np.float32), times.affine)
        deepmir.recon(**inputs("images", subject), r2=times)


def test_what_the_echoes_are_doubted_for_is_told(subject):
    known = inputs("images", subject)
    known["phase"] = [every_second_slice_inverted(image) for image in known["phase"]]
    with pytest.warns(deepmir.DeepmirWarning, match="alternates from slice to slice"):
        maps = deepmir.recon(**known)
    assert "slices_alternate" in maps.warnings


def every_second_slice_inverted(image: nib.Nifti1Image) -> nib.Nifti1Image:
    phase = np.asarray(image.dataobj, dtype=np.float32).copy()
    phase[:, :, 1::2] = np.angle(-np.exp(1j * phase[:, :, 1::2]))
    return nib.Nifti1Image(phase, image.affine)


def test_an_evaluation_is_the_command_lines(subject, tmp_path):
    result = deepmir.predict(swi=subject.swi, qsm=subject.qsm, t2w=subject.t2w)
    files = map(Path, result.save(tmp_path))
    label_map = next(path for path in files if path.name.endswith("seg-lesions_dseg.nii.gz"))
    done = command("evaluate", "--truth", subject.truth, "--pred", label_map, "-o", tmp_path / "cli")
    assert done.returncode == 0, done.stderr
    from_files = deepmir.evaluate(subject.truth, label_map)
    from_files.save(tmp_path / "python")
    for path in (tmp_path / "cli").iterdir():
        assert path.read_bytes() == (tmp_path / "python" / path.name).read_bytes(), path.name
    frame = pandas.DataFrame(from_files.classes)
    assert list(frame["lesion_class"]) == ["CMB", "NHID"]

    truth = nib.load(subject.truth)
    stored = json.loads((tmp_path / "cli/evaluation.json").read_text())
    for one, other, affine in [
        (truth, result, None),
        (np.asarray(truth.dataobj), result, None),
        (subject.truth, result.labels, result.affine),
        (np.asarray(truth.dataobj, dtype=float), nib.load(label_map), truth.affine),
    ]:
        in_memory = deepmir.evaluate(one, other, affine=affine)
        assert in_memory.classes == from_files.classes
        assert in_memory.details["classes"] == stored["classes"]


def test_a_perfect_prediction_is_perfect(subject):
    same = deepmir.evaluate(subject.truth, subject.truth)
    assert all(each.sensitivity == 1 and each.dice == 1 for each in same.classes if each.truth)
    assert sum(each.truth for each in same.classes) > 0


def test_folders_are_paired_and_what_is_missing_is_told(subject, tmp_path):
    truth = subject.folder / "heads/derivatives/truth"
    steps = []
    evaluation = deepmir.evaluate(truth, truth, progress=lambda *step: steps.append(step))
    assert steps == [("subjects", 1, 1)] and evaluation.details["subjects"][0]["subject"] == "sub-01"
    with pytest.raises(deepmir.DeepmirError, match="no lesion label maps.*--pred"):
        deepmir.evaluate(truth, tmp_path)
