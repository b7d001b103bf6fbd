"""The examples of the documentation run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from conftest import COARSE, command

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, languages: str) -> list[tuple[str, str]]:
    """The blocks of code of a page, each with its language."""
    pattern = rf"^```({languages})\n(.*?)^```"
    return re.findall(pattern, (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def test_the_examples_run_in_order(subject, tmp_path, monkeypatch):
    for name, image in [("SWI", subject.swi), ("QSM", subject.qsm), ("T2w", subject.t2w)]:
        shutil.copy(image, tmp_path / f"{name}.nii.gz")
    shutil.copy(subject.truth, tmp_path / "truth.nii.gz")
    for n, (magnitude, phase) in enumerate(zip(subject.magnitude, subject.phase), start=1):
        shutil.copy(magnitude, tmp_path / f"e{n}_mag.nii.gz")
        shutil.copy(phase, tmp_path / f"e{n}_phase.nii.gz")
    monkeypatch.chdir(tmp_path)
    examples = blocks("python.md", "python")
    assert len(examples) > 5
    names: dict = {}
    for _, block in examples:
        exec(compile(block, "python.md", "exec"), names)
    assert (tmp_path / "results").is_dir() and (tmp_path / "maps/sub-01_Chimap.nii.gz").is_file()


def test_the_tutorial_can_be_played(tmp_path, monkeypatch):
    """With fewer and coarser heads; `view` serves until it is stopped and has tests of its own."""
    monkeypatch.chdir(tmp_path)
    Path("coarse.toml").write_text(COARSE)
    names: dict = {}
    played = 0
    for language, block in blocks("tutorial.md", "sh|python"):
        if language == "python":
            exec(compile(block, "tutorial.md", "exec"), names)
            continue
        for line in block.splitlines():
            program, verb, *words = shlex.split(line, comments=True)
            assert program == "deepmir"
            if verb == "view":
                assert words[0] == "results" and Path(words[0]).is_dir()
                continue
            if verb == "phantom":
                words = ["2" if word == "4" else word for word in words] + ["--config", "coarse.toml"]
            done = command(verb, *words)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            played += 1
    assert played == 4
    assert len(names["done"]) == 2 and Path("table.csv").is_file()
