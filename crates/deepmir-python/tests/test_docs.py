"""The examples of docs/python.md run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/python.md"


def test_the_examples_run_in_order(subject, tmp_path, monkeypatch):
    for name, image in [("SWI", subject.swi), ("QSM", subject.qsm), ("T2w", subject.t2w)]:
        shutil.copy(image, tmp_path / f"{name}.nii.gz")
    shutil.copy(subject.truth, tmp_path / "truth.nii.gz")
    for n, (magnitude, phase) in enumerate(zip(subject.magnitude, subject.phase), start=1):
        shutil.copy(magnitude, tmp_path / f"e{n}_mag.nii.gz")
        shutil.copy(phase, tmp_path / f"e{n}_phase.nii.gz")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert (tmp_path / "results").is_dir() and (tmp_path / "maps/sub-01_Chimap.nii.gz").is_file()
