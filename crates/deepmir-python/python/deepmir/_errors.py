"""Exceptions, with the words that the command line uses."""

from __future__ import annotations

import warnings


class DeepmirError(ValueError):
    """Something that the caller can mend; the message names the image or file and the remedy."""


class DeepmirWarning(UserWarning):
    """Something about an image that may make the result wrong."""


class NotFoundError(DeepmirError, FileNotFoundError):
    """A file, folder or model that is not there."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class WrongTypeError(DeepmirError, TypeError):
    """An argument that is no image, path or number."""


class InternalError(DeepmirError, RuntimeError):
    """A fault of the program; please report it."""


def told(noticed: "list[tuple[str, str]]", stacklevel: int) -> "dict[str, str]":
    """Give each warning to :mod:`warnings`; the sentences by code, those of one code in one."""
    by_code: "dict[str, str]" = {}
    for code, message in noticed:
        warnings.warn(message, DeepmirWarning, stacklevel=stacklevel)
        by_code[code] = f"{by_code[code]}; {message}" if code in by_code else message
    return by_code


# Options by the names that they have here.
_OPTIONS = {
    "--nan-to-zero": "nan_to_zero=True",
    "--allow-missing": "allow_missing=True",
    "--mask": "mask=",
    "--strict": "strict=True",
    "--invert-phase": "invert_phase=True",
}


def of(kind: str, message: str) -> DeepmirError:
    """Make the exception of a failure; called by the compiled part."""
    for option, here in _OPTIONS.items():
        message = message.replace(option, here)
    return {
        "DeepmirError": DeepmirError,
        "NotFoundError": NotFoundError,
        "InternalError": InternalError,
    }[kind](message)
