"""Prediction."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _deepmir, _errors, _inputs
from ._deepmir import Model
from ._errors import DeepmirError, WrongTypeError
from ._inputs import ImageLike, Progress


@dataclass(frozen=True)
class Lesion:
    """One lesion: a row of the lesion table. ``pandas.DataFrame(result.lesions)`` is the table.

    Values that could not be measured are None.
    """

    #: From 1; CMB before NHID, larger before smaller.
    lesion_id: int
    #: ``"CMB"`` or ``"NHID"``.
    lesion_class: str
    #: ``"definite"`` (a ``lesion_probability`` of at least 0.7) or ``"possible"``.
    certainty: Optional[str]
    #: ``"lobar"``, ``"deep"`` or ``"infratentorial"``.
    region: Optional[str]
    #: One of the 13 regions of MARS, the lobe and the side; None without a parcellation.
    mars_region: Optional[str]
    lobe: Optional[str]
    side: Optional[str]
    #: Centre of mass in RAS+ millimetres.
    x_mm: float
    y_mm: float
    z_mm: float
    #: Volume.
    volume_mm3: float
    #: Diameter of the ball of that volume.
    diameter_mm: float
    #: Size of a microbleed on BOMBS, in millimetres: ``"<5"`` or ``"5-10"``.
    bombs_size: Optional[str]
    #: Voxels.
    n_voxels: int
    #: Mean and highest probability of the class in the lesion.
    mean_probability: Optional[float]
    max_probability: Optional[float]
    #: Mean susceptibility, and susceptibility summed over the volume.
    chi_mean_ppm: Optional[float]
    chi_total_ppm_mm3: Optional[float]
    #: SWI over that of a shell of 2 mm around the lesion, less one; negative is darker.
    swi_contrast: Optional[float]
    #: The same of T2w.
    t2w_contrast: Optional[float]
    #: 1 for a ball.
    sphericity: float
    #: ``diamagnetic``, ``linear`` and ``touches_mask_edge``, separated by commas.
    note: Optional[str]
    #: Probability of being a lesion, of models with a candidate classifier.
    lesion_probability: Optional[float]


@dataclass(frozen=True)
class Result:
    """Lesions of one scan; made by :func:`predict`.

    Attributes
    ----------
    labels
        Label map, ``uint8``, on the grid of the SWI: 0 background, 1 CMB, 2 NHID.
    instances
        Instance map, ``uint16``, on the same grid: each lesion's number in the lesion table, also where
        lesions touch.
    affine
        Matrix (4, 4) from voxels to RAS+ millimetres.
    probabilities
        Probability of each class at each voxel, ``float32``, by the name of the class.
    lesions
        The lesion table.
    warnings
        What was noticed about the images that may make the result wrong: a sentence by its code.
    """

    labels: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16]
    affine: npt.NDArray[np.float64]
    probabilities: "dict[str, npt.NDArray[np.float32]]"
    lesions: "list[Lesion]"
    warnings: "dict[str, str]"
    _found: Any = field(repr=False, compare=False)

    def save(
        self, folder: Union[str, "os.PathLike[str]"], *, overwrite: bool = False
    ) -> "list[str]":
        """Write label map, probability maps, tables and report, as ``deepmir predict -o`` does.

        What is written is what was found: changes of the arrays play no part. Names are those of the
        image files; of arrays, that of the argument (``swi_seg-lesions_dseg.nii.gz``).

        Parameters
        ----------
        folder
            Is made if it is not there.
        overwrite
            Write over results of another scan in the folder; they are an error without.

        Returns
        -------
        list of str
            The files.

        Raises
        ------
        DeepmirError
            If a file cannot be written, or results of another scan are there.
        """
        written = self._found.write(_inputs.path("folder", folder), bool(overwrite))
        return [os.fspath(file) for file in written]


def load_model(name: Union[str, "os.PathLike[str]"] = "default") -> Model:
    """Open a model.

    Parameters
    ----------
    name
        Name of a shipped model, or a model's folder or ``.deepmir`` file.

    Returns
    -------
    Model
        For ``predict(model=...)``; loading it once saves the time of loading it for each scan.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    DeepmirError
        If it cannot be used.
    """
    return _deepmir.load_model(_inputs.path("model", name))


def predict(
    *,
    swi: Optional[ImageLike] = None,
    t2star: Optional[ImageLike] = None,
    qsm: Optional[ImageLike] = None,
    t2w: Optional[ImageLike] = None,
    mask: Optional[ImageLike] = None,
    affine: Optional[npt.ArrayLike] = None,
    model: Union[Model, str, "os.PathLike[str]", None] = None,
    flips: bool = False,
    nan_to_zero: bool = False,
    strict: bool = False,
    threads: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> Result:
    """Find lesions in the images of one scan.

    Parameters
    ----------
    swi, qsm, t2w
        Susceptibility-weighted image, susceptibility map in ppm, T2-weighted image, all on one grid: each
        a path, a nibabel image or an array. What the model can do without may be left out.
    t2star
        T2*-weighted magnitude in place of ``swi``.
    mask
        Brain mask on the same grid; a soft one is cut at one half. Not needed if the images are
        skull-stripped, with zeros outside the brain.
    affine
        Matrix (4, 4) from voxels to RAS+ millimetres, of all arrays.
    model
        A :class:`Model`, or what :func:`load_model` takes; the default model without.
    flips
        Average over mirror images of each slice; takes four times as long.
    nan_to_zero
        Take NaN and infinite voxels as zero instead of refusing them.
    strict
        Refuse a scan about which there is any warning. Without, each is given by :mod:`warnings` as a
        :class:`DeepmirWarning`, and stands in the result.
    threads
        Number of threads; one for each core without.
    progress
        Called with ``("slices", done, total)``. An exception that it raises stops the work and comes out
        of this function.

    Returns
    -------
    Result
        What ``deepmir predict`` finds, bit for bit.

    Raises
    ------
    DeepmirError
        If an image is missing or cannot be used, or with ``strict`` is doubtful; the message is the
        command line's.
    """
    if swi is not None and t2star is not None:
        raise DeepmirError("give swi or t2star, not both")
    given = [
        ("SWI", "swi", swi),
        ("T2starw", "t2star", t2star),
        ("QSM", "qsm", qsm),
        ("T2w", "t2w", t2w),
    ]
    _inputs.check_affine(affine, [swi, t2star, qsm, t2w, mask])
    threads = _inputs.threads_of(threads)
    images = [
        (modality, _inputs.source(name, image, affine))
        for modality, name, image in given
        if image is not None
    ]
    brain = None if mask is None else _inputs.source("mask", mask, affine)
    if model is None:
        model = load_model()
    elif isinstance(model, (str, os.PathLike)):
        model = load_model(model)
    elif not isinstance(model, Model):
        raise WrongTypeError(f"model is {model!r}; give a Model, a name or a path")
    progress = _inputs.progress_of(progress)
    found = _deepmir.predict(
        images, brain, model, bool(flips), bool(nan_to_zero), bool(strict), threads, progress
    )
    maps = found.probabilities().items()
    return Result(
        labels=_inputs.unpack(found.labels(), np.uint8, found.shape),
        instances=_inputs.unpack(found.instances(), np.uint16, found.shape),
        affine=np.array(found.affine),
        probabilities={name: _inputs.unpack(data, np.float32, found.shape) for name, data in maps},
        lesions=[_lesion(row) for row in json.loads(found.lesions)],
        warnings=_errors.told(found.warnings, stacklevel=3),
        _found=found,
    )


def _lesion(row: "dict[str, Any]") -> Lesion:
    row["lesion_class"] = row.pop("class")
    return Lesion(**{each.name: row[each.name] for each in fields(Lesion)})
