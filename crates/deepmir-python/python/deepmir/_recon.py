"""Reconstruction."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _deepmir, _errors, _inputs
from ._errors import DeepmirError, WrongTypeError
from ._inputs import ImageLike, Progress


@dataclass(frozen=True)
class Reconstruction:
    """Maps of one scan, all on the grid of its echoes; made by :func:`recon`.

    Attributes
    ----------
    swi
        Susceptibility-weighted image of the whole head.
    minimum_intensity_projection
        Its minimum-intensity projection.
    qsm
        Susceptibility in ppm, zero outside ``reliable``.
    r2star
        R2* per second inside the brain; None of a single echo.
    paramagnetic, diamagnetic
        Both parts of susceptibility in ppm, 0 or more and 0 or less; None unless ``r2`` or ``r2_share`` was given.
    mask
        The brain.
    reliable
        Where susceptibility is reliable.
    total_field, local_field
        Field in ppm.
    quality
        Quality of the field, 0 to 1.
    t2w
        The aligned T2w, if one was given.
    affine
        Matrix (4, 4) from voxels to RAS+ millimetres.
    phase
        How the phase was understood.
    warnings
        What was noticed about the echoes that may make the maps wrong: a sentence by its code.
    """

    swi: npt.NDArray[np.float32]
    minimum_intensity_projection: npt.NDArray[np.float32]
    qsm: npt.NDArray[np.float32]
    r2star: Optional[npt.NDArray[np.float32]]
    paramagnetic: Optional[npt.NDArray[np.float32]]
    diamagnetic: Optional[npt.NDArray[np.float32]]
    mask: npt.NDArray[np.bool_]
    reliable: npt.NDArray[np.bool_]
    total_field: npt.NDArray[np.float32]
    local_field: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    t2w: Optional[npt.NDArray[np.float32]]
    affine: npt.NDArray[np.float64]
    phase: Optional[str]
    warnings: "dict[str, str]"
    _made: Any = field(repr=False, compare=False)

    def save(
        self,
        folder: Union[str, "os.PathLike[str]"],
        name: str = "scan",
        *,
        overwrite: bool = False,
    ) -> "list[str]":
        """Write all maps, as ``deepmir recon -o`` does.

        Parameters
        ----------
        folder
            Is made if it is not there.
        name
            What the names of the files begin with, such as ``"sub-01_ses-2"``.
        overwrite
            Write over results of another scan in the folder; they are an error without.

        Returns
        -------
        list of str
            The images.

        Raises
        ------
        DeepmirError
            If a file cannot be written, or results of another scan are there.
        """
        if not isinstance(name, str) or not name or "/" in name or "\0" in name:
            raise DeepmirError(f"{name!r} is no beginning of a file's name")
        written = self._made.write(_inputs.path("folder", folder), name, bool(overwrite))
        return [os.fspath(file) for file in written]


def recon(
    *,
    magnitude: Union[ImageLike, Sequence[ImageLike]],
    phase: Union[ImageLike, Sequence[ImageLike]],
    echo_times: Optional[Sequence[float]] = None,
    field_strength: Optional[float] = None,
    affine: Optional[npt.ArrayLike] = None,
    mask: Optional[ImageLike] = None,
    t2w: Optional[ImageLike] = None,
    r2: Optional[ImageLike] = None,
    r2_share: Optional[float] = None,
    b0_direction: Optional[Sequence[float]] = None,
    phase_units: str = "auto",
    invert_phase: bool = False,
    unwrapping: str = "romeo",
    field_fit: str = "early",
    background: str = "tfi",
    inversion: str = "tv",
    reference: str = "brain",
    nan_to_zero: bool = False,
    threads: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> Reconstruction:
    """Reconstruct SWI, susceptibility, R2* and a brain mask from raw gradient echoes.

    Parameters
    ----------
    magnitude, phase
        The echoes in order: a list of paths, arrays or nibabel images, or one with four axes.
    echo_times
        Echo times in seconds; read from the JSON files beside the images without.
    field_strength
        Field strength in tesla; read from the JSON files beside the images without.
    affine
        Matrix (4, 4) from voxels to RAS+ millimetres, of all arrays.
    mask
        Brain mask on the grid of the echoes; computed without.
    t2w
        T2-weighted image of the same head to align to the echoes: a path or a nibabel image.
    r2
        R2 per second on the grid of the echoes, as spin echoes tell it: susceptibility is separated by it into
        its paramagnetic and diamagnetic part.
    r2_share
        The share of R2* to take for R2, 0 to 1, where R2 was not measured.
    b0_direction
        Direction of the main field along the voxel axes; from the affine without.
    phase_units
        ``"auto"``, ``"radians"``, ``"stored-radians"``, ``"signed4096"``, ``"unsigned4096"``,
        ``"signed2048"``, ``"milliradians"`` or ``"degrees"``.
    invert_phase
        The phase decreases where the field is higher.
    unwrapping
        ``"romeo"`` or ``"laplacian"``.
    field_fit
        How the field is fitted over echoes: ``"early"`` (a line, without late echoes that do not lie on it),
        ``"line"`` or ``"complex"``.
    background
        Background field removal: ``"tfi"``, ``"vsharp"``, ``"resharp"`` or ``"pdf"``.
    inversion
        Dipole inversion: ``"tv"``, ``"tkd"`` or ``"l2"``.
    reference
        Tissue whose median susceptibility is zero: ``"brain"`` or ``"fluid"`` (of the ventricles).
    nan_to_zero
        Take NaN and infinite voxels as zero instead of refusing them.
    threads
        Number of threads; one for each core without.
    progress
        Called with the stage that begins, its number from 0 and the number of stages.

    Returns
    -------
    Reconstruction
        What ``deepmir recon`` makes, bit for bit.

    Raises
    ------
    DeepmirError
        If an image or setting is missing or cannot be used; the message is the command line's.
    """
    _inputs.check_affine(affine, [*_each(magnitude), *_each(phase), mask, r2])
    threads = _inputs.threads_of(threads)
    if t2w is not None and not (_inputs.is_path(t2w) or _inputs.is_image(t2w)):
        raise WrongTypeError("give t2w as a path or a nibabel image: it has an affine of its own")
    settings = {
        "echo_times": _floats("echo_times", [] if echo_times is None else echo_times),
        "field_strength": None if field_strength is None else _floats("field_strength", field_strength)[0],
        "b0_direction": None if b0_direction is None else _floats("b0_direction", b0_direction, 3),
        "phase_units": str(phase_units),
        "invert_phase": bool(invert_phase),
        "nan_to_zero": bool(nan_to_zero),
        "unwrapping": str(unwrapping),
        "field_fit": str(field_fit),
        "background": str(background),
        "inversion": str(inversion),
        "reference": str(reference),
        "r2_share": None if r2_share is None else _floats("r2_share", r2_share, 1)[0],
    }
    magnitudes = _inputs.echoes("magnitude", magnitude, affine)
    phases = _inputs.echoes("phase", phase, affine)
    if len(magnitudes) != len(phases):
        raise DeepmirError(
            f"{len(magnitudes)} images for magnitude and {len(phases)} for phase: give one of each for "
            "each echo, in order"
        )
    if len({isinstance(echo, str) for echo in magnitudes + phases}) > 1:
        raise WrongTypeError("give both magnitude and phase as files, or none of them")
    beside = (
        None if mask is None else _inputs.source("mask", mask, affine),
        None if t2w is None else _inputs.source("t2w", t2w, None),
        None if r2 is None else _inputs.source("r2", r2, affine),
    )
    made = _deepmir.recon(
        list(zip(magnitudes, phases)),
        settings,
        beside,
        threads,
        _inputs.progress_of(progress),
    )
    shape = made.shape
    maps: "dict[str, Any]" = {
        name: None if data is None else _inputs.unpack(data, np.float32, shape)
        for name, data in made.maps().items()
    }
    masks: "dict[str, Any]" = {
        name: _inputs.unpack(data, np.bool_, shape) for name, data in made.masks().items()
    }
    return Reconstruction(
        **maps,
        **masks,
        affine=np.array(made.affine),
        phase=made.phase,
        warnings=_errors.told(made.warnings, stacklevel=3),
        _made=made,
    )


def _each(images: Any) -> "list[Any]":
    return list(images) if isinstance(images, (list, tuple)) else [images]


def _floats(name: str, values: Any, count: Optional[int] = None) -> "list[float]":
    try:
        numbers = [float(value) for value in np.atleast_1d(np.asarray(values, dtype=np.float64))]
    except (TypeError, ValueError):
        raise WrongTypeError(f"{name} is {values!r}; give numbers") from None
    if count is not None and len(numbers) != count:
        raise DeepmirError(f"{name} is {values!r}; give {count} numbers")
    return numbers
