"""Arrays, images and paths, as the compiled part takes them."""

from __future__ import annotations

import os
from typing import Any, Callable, Optional, Protocol, Union

import numpy as np
import numpy.typing as npt

from ._errors import DeepmirError, WrongTypeError


class SpatialImage(Protocol):
    """What is needed of a nibabel image."""

    @property
    def dataobj(self) -> Any: ...

    @property
    def affine(self) -> Any: ...


#: A path of a NIfTI file, an array of numbers with three axes, or a nibabel image.
ImageLike = Union[str, "os.PathLike[str]", npt.NDArray[Any], SpatialImage]
#: Called with the stage, the steps done and the steps in all.
Progress = Callable[[str, int, int], object]

# A path, or the name, shape, bytes and affine of an array.
Source = Union[str, "dict[str, Any]"]


def is_path(image: Any) -> bool:
    """Whether an argument is a path."""
    return isinstance(image, (str, os.PathLike))


def is_image(image: Any) -> bool:
    """Whether an argument is a nibabel image, by what it has."""
    return hasattr(image, "dataobj") and hasattr(image, "affine")


def source(name: str, image: Any, affine: Any, dtype: "type[np.generic]" = np.float32) -> Source:
    """Turn an argument called ``name`` into what the compiled part takes."""
    if is_path(image):
        return path(name, image)
    if is_image(image):
        label = _file_name(image) or name
        voxels = _voxels(label, np.asanyarray(image.dataobj))
        return packed(label, voxels, image.affine, dtype)
    return packed(name, _voxels(name, image), affine, dtype)


def path(name: str, image: Any) -> str:
    """Turn a path into text."""
    text: Any = os.fspath(image)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if not text or "\0" in text:
        raise DeepmirError(f"{text!r} is no path of a file: {name}")
    return str(text)


def echoes(name: str, images: Any, affine: Any) -> "list[Source]":
    """Turn the echoes of a scan into a list of sources: a list of images, or one with four axes."""
    if is_path(images) or (isinstance(images, (list, tuple)) and images and is_path(images[0])):
        files = [images] if is_path(images) else list(images)
        if not all(is_path(file) for file in files):
            raise WrongTypeError(f"give all echoes as files, or none of them: {name}")
        return [path(name, file) for file in files]
    if isinstance(images, (list, tuple)):
        if any(is_path(image) for image in images):
            raise WrongTypeError(f"give all echoes as files, or none of them: {name}")
        return [source(f"{name}[{n}]", image, affine) for n, image in enumerate(images)]
    if is_image(images):
        label, affine = _file_name(images) or name, images.affine
        images = images.dataobj
    else:
        label = name
    voxels = _numbers(label, images)
    if voxels.ndim == 3:
        voxels = voxels[..., np.newaxis]
    if voxels.ndim != 4:
        raise DeepmirError(
            f"an array of shape {voxels.shape} is no series of echoes; give one with four axes, the "
            f"last of them echoes, or a list of arrays: {label}"
        )
    each = range(voxels.shape[3])
    return [packed(f"{label}[{n}]", voxels[..., n], affine, np.float32) for n in each]


def check_affine(affine: Any, images: "list[Any]") -> None:
    """Refuse an affine that nothing would use: files and images have their own."""
    given = [image for image in images if image is not None]
    if affine is not None and given and all(is_path(image) or is_image(image) for image in given):
        raise DeepmirError("affine is for arrays; files and images have their own: leave it out")


def packed(name: str, voxels: npt.NDArray[Any], affine: Any, dtype: "type[np.generic]") -> "dict[str, Any]":
    """Pack voxels and affine for the compiled part."""
    rows = _affine(name, affine)
    values = _whole(name, voxels) if dtype is np.int32 else _single(voxels)
    return {
        "name": name,
        "shape": list(values.shape),
        "bytes": values.tobytes(order="F"),
        "affine": rows,
    }


def unpack(data: bytearray, dtype: npt.DTypeLike, shape: "list[int]") -> npt.NDArray[Any]:
    """Make an array of the bytes of the compiled part, without a copy."""
    return np.frombuffer(data, dtype=dtype).reshape(tuple(shape), order="F")


def threads_of(threads: Any) -> Optional[int]:
    """Check a number of threads."""
    if threads is None:
        return None
    try:
        count = int(threads)
    except (TypeError, ValueError):
        raise WrongTypeError(f"threads is {threads!r}; give a whole number from 1 on") from None
    if not 1 <= count <= 65535 or count != threads:
        raise DeepmirError(f"threads is {threads!r}; give a whole number from 1 on")
    return count


def progress_of(progress: Any) -> Optional[Progress]:
    """Check a progress callback."""
    if progress is not None and not callable(progress):
        raise WrongTypeError(f"progress is {progress!r}; give a function of stage, done and total")
    function: Optional[Progress] = progress
    return function


def _file_name(image: Any) -> Optional[str]:
    getter = getattr(image, "get_filename", None)
    name = getter() if callable(getter) else None
    return os.fspath(name) if isinstance(name, (str, os.PathLike)) else None


def _numbers(name: str, image: Any) -> npt.NDArray[Any]:
    if isinstance(image, np.ma.MaskedArray):
        raise WrongTypeError(f"a masked array hides voxels; give its filled(0), say: {name}")
    try:
        voxels = np.asarray(image)
    except Exception as error:  # whatever an array-like may raise
        raise WrongTypeError(f"no array can be made of it ({error}): {name}") from error
    if voxels.dtype.kind not in "biuf":
        what = f"an array of {voxels.dtype}" if isinstance(image, np.ndarray) else f"{type(image)}"
        raise WrongTypeError(
            f"{what} is no image; give an array of real numbers, a nibabel image or a path: {name}"
        )
    return voxels


def _voxels(name: str, image: Any) -> npt.NDArray[Any]:
    voxels = _numbers(name, image)
    # As of files: axes after the third may be there if their length is 1.
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim != 3:
        raise DeepmirError(f"an array of shape {voxels.shape} is no volume; give one with three axes: {name}")
    return voxels


def _single(voxels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        if voxels.dtype.kind != "f" or voxels.dtype.itemsize > 8:
            # By way of double precision, as values of files go.
            voxels = voxels.astype(np.float64)
        return voxels.astype(np.float32)


def _whole(name: str, voxels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    if voxels.dtype.kind == "f":
        odd = ~(np.isfinite(voxels) & (np.abs(voxels - np.round(voxels)) <= 1e-3))
        if odd.any():
            raise DeepmirError(
                f"{int(odd.sum())} voxels are no whole numbers (such as {voxels[odd][0]}), so this is "
                f"no label map: {name}"
            )
        voxels = np.round(voxels)
    limits = np.iinfo(np.int32)
    if voxels.size and (voxels.max() > limits.max or voxels.min() < limits.min):
        raise DeepmirError(f"voxels up to {voxels.max()}, so this is no label map: {name}")
    return voxels.astype(np.int32)


def _affine(name: str, affine: Any) -> "list[list[float]]":
    if affine is None:
        raise DeepmirError(
            f"an array needs an affine; give affine=, the 4 × 4 matrix from voxels to RAS+ "
            f"millimetres: {name}"
        )
    try:
        matrix = np.asarray(affine, dtype=np.float64)
    except (TypeError, ValueError):
        raise WrongTypeError(f"the affine is no matrix of numbers: {name}") from None
    if matrix.shape != (4, 4):
        raise DeepmirError(f"the affine has the shape {matrix.shape}, not (4, 4): {name}")
    rows: "list[list[float]]" = matrix.tolist()
    return rows
