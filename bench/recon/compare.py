"""Runs every chain on every scan in turn and measures time and memory; then evaluates.

Keeps small itself: a child starts with its parent's peak memory.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Scan:
    """Raw echoes of one session, and the truth if there is any."""

    name: str
    magnitudes: list
    phases: list
    truth: Path


@dataclass
class Chain:
    """One way to reconstruct. `mask` is `deepmir` (everyone's first round) or `own`."""

    name: str
    mask: str
    command: object
    chi: str = "chi.nii.gz"
    given: str = "given.nii.gz"

    @property
    def folder(self):
        return f"{self.name} {self.mask}".replace(",", "").replace(" ", "-")


def scans_of(folder):
    """Scans with raw echoes of a BIDS dataset, or of one subject's folder in it."""
    folder = folder.resolve()
    subjects = [folder] if folder.name.startswith("sub-") else sorted(folder.glob("sub-*"))
    dataset = folder.parent if folder.name.startswith("sub-") else folder
    found = []
    for anat in sorted(anat for subject in subjects for anat in subject.rglob("anat")):
        phases = sorted(anat.glob("*_part-phase_*.nii.gz"))
        magnitudes = [Path(str(file).replace("part-phase", "part-mag")) for file in phases]
        if not phases:
            continue
        session = anat.parent.relative_to(dataset)
        name = "_".join([dataset.name, *session.parts])
        truth = dataset / "derivatives" / "truth" / session / "anat"
        found.append(Scan(name, magnitudes, phases, truth))
    if not found:
        sys.exit(f"{folder}: no sub-*/anat/*_part-phase_*.nii.gz")
    return found


def chains():
    """All chains, ours first: the others take its mask."""

    def deepmir(scan, mask, out):
        return [
            os.environ["RECON_DEEPMIR"], "recon", "--quiet",
            "--threads", os.environ["OMP_NUM_THREADS"],
            "--mag", *scan.magnitudes, "--phase", *scan.phases, "-o", out,
        ]  # fmt: skip

    def numpy_chain(background, inversion):
        return lambda scan, mask, out: [
            sys.executable, HERE / "chain.py", "--background", background, "--inversion", inversion,
            "--mag", *scan.magnitudes, "--phase", *scan.phases, "-o", out,
            *(["--mask", mask] if mask else []),
        ]  # fmt: skip

    reliable = "*_desc-reliable_mask.nii.gz"
    made = [Chain("deepmir", "deepmir", deepmir, "*_Chimap.nii.gz", reliable)]
    for name, background, inversion in (
        ("V-SHARP, TKD", "vsharp", "tkd"),
        ("V-SHARP, closed-form L2", "vsharp", "l2"),
        ("V-SHARP, TV", "vsharp", "tv"),
        ("V-SHARP, RTS", "vsharp", "rts"),
        ("V-SHARP, FANSI", "vsharp", "nltv"),
        ("RESHARP, TV", "resharp", "tv"),
        ("PDF, RTS", "pdf", "rts"),
    ):
        made.append(Chain(name, "deepmir", numpy_chain(background, inversion)))
    made.append(Chain("V-SHARP, RTS", "own", numpy_chain("vsharp", "rts")))
    return made


def run(command, log):
    """Runs a command: its exit status, seconds passed, seconds of processor, peak MiB."""
    with log.open("w") as text:
        start = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], stdout=text, stderr=text)
        _, status, usage = os.wait4(child.pid, 0)
        passed = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return {
        "status": child.returncode,
        "wall_s": passed,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }


def measure(scan, chain, output):
    """One run of one chain, its former result removed first."""
    folder = output / scan.name / chain.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mask = None
    if chain.mask == "deepmir" and chain.name != "deepmir":
        masks = sorted((output / scan.name / "deepmir-deepmir").glob("*_desc-brain_mask.nii.gz"))
        if not masks:
            return {"status": None, "log": "deepmir made no mask"}
        mask = masks[0]
    result = run(chain.command(scan, mask, folder), folder / "log.txt")
    for part in ("chi", "given"):
        files = sorted(folder.glob(getattr(chain, part)))
        result[part] = str(files[0]) if files else None
    result["log"] = str(folder / "log.txt")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("folders", type=Path, nargs="+", metavar="scan_folder")
    options = parser.parse_args()
    scans = [scan for folder in options.folders for scan in scans_of(folder)]
    if len({scan.name for scan in scans}) != len(scans):
        sys.exit("two scans have one name: rename a dataset's folder")
    options.output.mkdir(parents=True, exist_ok=True)

    runs = []
    for turn in range(int(os.environ["RECON_ROUNDS"])):
        for scan in scans:
            for chain in chains():
                result = measure(scan, chain, options.output)
                print(
                    f"round {turn + 1}, {scan.name}: {chain.name} ({chain.mask} mask): status "
                    f"{result['status']}, {result.get('wall_s', 0):.1f} s, "
                    f"{result.get('peak_mib', 0):.0f} MiB",
                    file=sys.stderr,
                )
                names = {"scan": scan.name, "chain": chain.name, "mask": chain.mask}
                runs.append({**names, "truth": str(scan.truth), **result})
    (options.output / "runs.json").write_text(json.dumps(runs, indent=1))
    os.execv(sys.executable, [sys.executable, str(HERE / "evaluate.py"), str(options.output)])


if __name__ == "__main__":
    main()
