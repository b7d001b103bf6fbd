"""Predictions equal the command line's, whatever they are made from."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas
import pytest

import deepmir
from conftest import command, voxels


def inputs(kind: str, small, arrays) -> dict:
    if kind == "paths":
        return {name: str(path) if name == "qsm" else path for name, path in vars(small).items()}
    if kind == "images":
        return {name: nib.load(path) for name, path in vars(small).items()}
    return vars(arrays)


@pytest.mark.parametrize("kind", ["paths", "images", "arrays"])
def test_results_are_the_command_lines_bit_for_bit(kind, small, arrays, predicted, tmp_path):
    result = deepmir.predict(**inputs(kind, small, arrays))
    label_map = nib.load(next(predicted.glob("*seg-lesions_dseg.nii.gz")))
    assert result.labels.dtype == np.uint8
    assert np.array_equal(result.labels, np.asarray(label_map.dataobj))
    instances = nib.load(next(predicted.glob("*seg-instances_dseg.nii.gz")))
    assert result.instances.dtype == np.uint16 and result.instances.max() == len(result.lesions)
    assert np.array_equal(result.instances, np.asarray(instances.dataobj))
    assert np.array_equal(result.affine, label_map.affine)
    assert set(result.probabilities) == {"CMB", "NHID"}
    for name, map_ in result.probabilities.items():
        stored = next(predicted.glob(f"*label-{name}_probseg.nii.gz"))
        # Files hold 16 bits of a probability.
        raw = np.asarray(nib.load(stored).dataobj.get_unscaled())
        assert np.array_equal(np.round(map_ * np.float32(65535)).astype(np.uint16), raw)
    assert len(result.lesions) == result.labels.any() == 1
    result.save(tmp_path / "out")
    same = 0
    for path in predicted.glob("*.nii.gz"):
        # Arrays have no file name: what is written is named by the argument.
        name = re.sub("^sub-01(_acq-swi)?", "swi", path.name) if kind == "arrays" else path.name
        other = tmp_path / "out" / name
        assert np.array_equal(voxels(path), voxels(other)), path.name
        same += 1
    assert same >= 3


def test_a_magnitude_takes_the_place_of_an_swi(arrays, predicted):
    images = dict(vars(arrays))
    with pytest.warns(deepmir.DeepmirWarning, match="did not learn from such"):
        magnitude = deepmir.predict(t2star=images.pop("swi"), **images)
    label_map = nib.load(next(predicted.glob("*seg-lesions_dseg.nii.gz")))
    assert np.array_equal(magnitude.labels, np.asarray(label_map.dataobj))
    with pytest.raises(deepmir.DeepmirError, match="not both"):
        deepmir.predict(t2star=arrays.swi, **vars(arrays))


def test_a_whole_head_is_the_command_lines_to_the_byte(subject, tmp_path):
    images = {"swi": subject.swi, "qsm": subject.qsm, "t2w": subject.t2w}
    done = command(
        "predict", *(w for name, path in images.items() for w in (f"--{name}", path)), "-o", tmp_path
    )
    assert done.returncode == 0, done.stderr
    result = deepmir.predict(**images)
    written = [Path(path) for path in result.save(tmp_path / "python")]
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir() if path.is_file()}
    for path in written:
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name

    rows = list(csv.DictReader(next(tmp_path.glob("*_desc-lesions.tsv")).open(), delimiter="\t"))
    assert rows, "the subject has lesions, and some are found"
    assert len(pandas.DataFrame(result.lesions)) == len(rows)
    names = [field.name for field in dataclasses.fields(deepmir.Lesion)]
    assert ["class" if name == "lesion_class" else name for name in names] == list(rows[0])
    for lesion, row in zip(result.lesions, rows):
        assert lesion.lesion_class == row["class"] and lesion.region == row["region"]
        assert lesion.certainty == row["certainty"] in ("definite", "possible")
        assert (lesion.certainty == "definite") == (lesion.lesion_probability >= 0.7)
        for name in ("mars_region", "lobe", "side", "bombs_size"):
            assert (getattr(lesion, name) or "n/a") == row[name]
        assert f"{lesion.volume_mm3:.3f}" == row["volume_mm3"] and f"{lesion.x_mm:.2f}" == row["x_mm"]
        assert f"{lesion.lesion_probability:.4f}" == row["lesion_probability"]
        with pytest.raises(dataclasses.FrozenInstanceError):
            lesion.x_mm = 0.0


def test_layout_order_and_type_of_arrays_play_no_part(arrays):
    wanted = deepmir.predict(**vars(arrays))
    big_endian = arrays.swi.astype(">f4")
    strided = np.repeat(arrays.qsm, 2, axis=1)[:, ::2]
    backwards = arrays.t2w[::-1].copy()[::-1]
    assert not strided.flags.c_contiguous and not strided.flags.f_contiguous
    strided.flags.writeable = False
    other = deepmir.predict(
        swi=big_endian,
        qsm=strided,
        t2w=backwards.astype(np.float64),
        mask=arrays.mask != 0,
        affine=arrays.affine.tolist(),
    )
    assert np.array_equal(other.labels, wanted.labels)
    for name, map_ in wanted.probabilities.items():
        assert np.array_equal(other.probabilities[name], map_)
    whole = np.round(arrays.swi * 100)
    rest = {"mask": arrays.mask, "affine": arrays.affine}
    one = deepmir.predict(swi=whole, **rest)
    for kind in (np.int16, ">i4", np.uint64):
        same = deepmir.predict(swi=whole.astype(kind), **rest)
        assert np.array_equal(same.probabilities["CMB"], one.probabilities["CMB"]), kind


def test_threads_change_nothing(arrays):
    one, two = (deepmir.predict(**vars(arrays), threads=threads) for threads in (1, 2))
    assert np.array_equal(one.probabilities["NHID"], two.probabilities["NHID"])


def test_missing_images_as_on_the_command_line(small, tmp_path):
    result = deepmir.predict(swi=small.swi, mask=small.mask)
    done = command("predict", "--swi", small.swi, "--mask", small.mask, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    label_map = next(tmp_path.glob("*seg-lesions_dseg.nii.gz"))
    assert np.array_equal(result.labels, voxels(label_map))
    with pytest.raises(deepmir.DeepmirError) as error:
        deepmir.predict(qsm=small.qsm)
    done = command("predict", "--qsm", small.qsm, "-o", tmp_path / "other")
    assert done.stderr.strip() == f"error: {error.value}"


def test_a_mixture_of_files_and_arrays(small, arrays):
    rest = {"qsm": arrays.qsm, "mask": arrays.mask, "affine": arrays.affine}
    one, other = (deepmir.predict(swi=swi, **rest) for swi in (arrays.swi, small.swi))
    assert np.array_equal(one.probabilities["CMB"], other.probabilities["CMB"])


def test_models(small, tmp_path):
    model = deepmir.load_model()
    assert model.name in repr(model) and model.classes == ["CMB", "NHID"]
    assert "SWI" in model.inputs and "QSM" in model.optional
    named = deepmir.predict(swi=small.swi, mask=small.mask, model=model.name)
    loaded = deepmir.predict(swi=small.swi, mask=small.mask, model=model)
    assert np.array_equal(named.labels, loaded.labels)
    assert np.array_equal(named.probabilities["CMB"], loaded.probabilities["CMB"])
    with pytest.raises(FileNotFoundError, match="there is no model no-such"):
        deepmir.load_model("no-such")
    broken = tmp_path / "broken.deepmir"
    broken.write_bytes(b"no model")
    with pytest.raises(deepmir.DeepmirError, match="broken.deepmir"):
        deepmir.load_model(broken)


def test_results_are_arrays_to_work_with(arrays):
    result = deepmir.predict(**vars(arrays))
    result.labels[0, 0, 0] = 1
    assert result.labels.flags.f_contiguous and result.labels.shape == arrays.swi.shape
    # An image of it is what a reader of the command line's file gets.
    image = nib.Nifti1Image(result.labels, result.affine)
    assert image.shape == arrays.swi.shape


def test_a_doubtful_image_is_warned_of_and_refused_if_strict(small):
    with pytest.warns(deepmir.DeepmirWarning, match="the brain measures"):
        result = deepmir.predict(swi=small.swi)
    assert "brain_volume" in result.warnings
    with pytest.raises(deepmir.DeepmirError, match="strict=True a warning is an error"):
        deepmir.predict(swi=small.swi, strict=True)
