"""Evaluation."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _deepmir, _inputs
from ._errors import DeepmirError, WrongTypeError
from ._inputs import ImageLike, Progress
from ._predict import Result


@dataclass(frozen=True)
class ClassEvaluation:
    """How the lesions of one class were found, over all scans."""

    #: ``"CMB"`` or ``"NHID"``.
    lesion_class: str
    #: True lesions.
    truth: int
    #: Predicted lesions.
    predicted: int
    #: Pairs of a true and a predicted one.
    matched: int
    #: None where undefined, such as the sensitivity without a true lesion.
    sensitivity: Optional[float]
    precision: Optional[float]
    f1: Optional[float]
    false_positives_per_scan: Optional[float]
    dice: Optional[float]


@dataclass(frozen=True)
class Evaluation:
    """Predicted against true lesions; made by :func:`evaluate`.

    Attributes
    ----------
    classes
        One entry a class, for ``pandas.DataFrame(evaluation.classes)``.
    details
        Everything, as in ``evaluation.json``: each subject, all metrics with their intervals, the
        confusion between classes, curves.
    """

    classes: "list[ClassEvaluation]"
    details: "dict[str, Any]" = field(repr=False)
    _evaluation: Any = field(repr=False, compare=False)

    def save(self, folder: Union[str, "os.PathLike[str]"]) -> None:
        """Write ``evaluation.json``, ``subjects.tsv`` and ``pooled.tsv``, as ``deepmir evaluate`` does.

        Parameters
        ----------
        folder
            Is made if it is not there.

        Raises
        ------
        DeepmirError
            If a file cannot be written.
        """
        self._evaluation.write(_inputs.path("folder", folder))


def evaluate(
    truth: ImageLike,
    prediction: Union[ImageLike, Result],
    *,
    affine: Optional[npt.ArrayLike] = None,
    match: str = "overlap",
    connectivity: int = 26,
    min_volume_mm3: float = 0.0,
    classes: Sequence[str] = ("CMB", "NHID"),
    froc_threshold: float = 0.3,
    resamples: int = 2000,
    seed: int = 0,
    allow_missing: bool = False,
    threads: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> Evaluation:
    """Compare predicted with true label maps.

    Parameters
    ----------
    truth, prediction
        Label maps (0 background, 1 CMB, 2 NHID): each a path, a nibabel image or an array; the prediction
        also a :class:`Result`. Or two folders of label maps, which are paired by scan.
    affine
        Matrix (4, 4) from voxels to RAS+ millimetres, of all arrays. Not needed with a Result, on whose
        grid a true label map given as an array lies.
    match
        When a predicted lesion is a true one: ``"overlap"``, ``"centre:MM"`` or ``"iou:T"``.
    connectivity
        Neighbours that connect voxels into lesions: 26 or 6.
    min_volume_mm3
        Ignore smaller lesions, both true and predicted.
    classes
        Classes to evaluate.
    froc_threshold
        Probability from which voxels form the candidates of curves; curves need files, with probability
        maps beside the predictions.
    resamples, seed
        Bootstrap over subjects.
    allow_missing
        Ignore scans with a true label map and no prediction, of folders.
    threads
        Number of threads; one for each core without.
    progress
        Called with ``("subjects", done, total)`` where paths are given.

    Returns
    -------
    Evaluation
        What ``deepmir evaluate`` computes.

    Raises
    ------
    DeepmirError
        If a map is missing or cannot be used; the message is the command line's.
    """
    threads = _inputs.threads_of(threads)
    progress = _inputs.progress_of(progress)
    try:
        options: "dict[str, Any]" = {
            "rule": str(match),
            "connectivity": int(connectivity),
            "min_volume_mm3": float(min_volume_mm3),
            "classes": [str(name) for name in classes],
            "froc_threshold": float(froc_threshold),
            "resamples": int(resamples),
            "seed": int(seed),
        }
    except (TypeError, ValueError) as error:
        raise WrongTypeError(f"an option is no number ({error})") from None
    for name, most in (("connectivity", 255), ("resamples", 2**32), ("seed", 2**64 - 1)):
        if not 0 <= options[name] <= most:
            raise DeepmirError(f"{name} is {options[name]}; give a whole number from 0 to {most}")
    if _inputs.is_path(truth) and _inputs.is_path(prediction):
        paths = _inputs.path("truth", truth), _inputs.path("prediction", prediction)
        made = _deepmir.evaluate_files(*paths, options, bool(allow_missing), threads, progress)
        return _of(made)
    predicted: _inputs.Source
    if isinstance(prediction, Result):
        affine = prediction.affine if affine is None else affine
        predicted = _inputs.packed("prediction", prediction.labels, prediction.affine, np.int32)
    else:
        _inputs.check_affine(affine, [truth, prediction])
        predicted = _inputs.source("prediction", prediction, affine, np.int32)
    true = _inputs.source("truth", truth, affine, np.int32)
    return _of(_deepmir.evaluate_maps(true, predicted, options, threads))


def _of(made: Any) -> Evaluation:
    details = json.loads(made.json())
    classes = []
    for each in details["classes"]:
        metrics = dict(each["metrics"])
        value = {name: estimate and estimate["value"] for name, estimate in metrics.items()}
        shown = ("sensitivity", "precision", "f1", "false_positives_per_scan", "dice")
        classes.append(
            ClassEvaluation(
                lesion_class=each["class"],
                truth=each["truth"],
                predicted=each["predicted"],
                matched=each["matched"],
                **{name: value[name] for name in shown},
            )
        )
    return Evaluation(classes=classes, details=details, _evaluation=made)
