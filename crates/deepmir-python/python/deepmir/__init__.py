"""Find cerebral microbleeds (CMB) and non-hemorrhage iron deposits (NHID) in brain MRI.

>>> import deepmir
>>> result = deepmir.predict(swi="SWI.nii.gz", qsm="QSM.nii.gz", t2w="T2w.nii.gz")
>>> len(result.lesions), result.labels.shape

Images are NumPy arrays with an affine, nibabel images, or paths of NIfTI files. Results are those of the
command ``deepmir``, bit for bit. Research software; not a medical device.
"""

from ._deepmir import Model, __version__
from ._errors import DeepmirError, DeepmirWarning, InternalError, NotFoundError, WrongTypeError
from ._evaluate import ClassEvaluation, Evaluation, evaluate
from ._inputs import ImageLike
from ._predict import Lesion, Result, load_model, predict
from ._recon import Reconstruction, recon

__all__ = [
    "ClassEvaluation",
    "DeepmirError",
    "DeepmirWarning",
    "Evaluation",
    "ImageLike",
    "InternalError",
    "Lesion",
    "Model",
    "NotFoundError",
    "Reconstruction",
    "Result",
    "WrongTypeError",
    "__version__",
    "evaluate",
    "load_model",
    "predict",
    "recon",
]
