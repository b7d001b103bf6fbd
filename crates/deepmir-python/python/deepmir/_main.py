"""The command ``deepmir``."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    from ._deepmir import run

    # Python's own handler only notes the signal, for an interpreter that does not run meanwhile.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run(["deepmir", *sys.argv[1:]])
