"""Checks `deepmir model export` with ONNX's checker and ONNX Runtime: `check_onnx.py DEEPMIR LOGITS [MODEL]`.

DEEPMIR is the program, LOGITS the built example `logits` of deepmir-model:

    cargo build -p deepmir -p deepmir-model --examples
    python bench/exchange/check_onnx.py target/debug/deepmir target/debug/examples/logits deepmir-11

Makes a phantom, exports the model and predicts. Then each file passes onnx.checker; logits of each network are within
1e-4 of ours on slices and patches of the phantom; the maps of run.py are within 1e-3 of those that `predict` writes,
with all images and with the first alone. It ran with onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 and nibabel 5.4.2.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import onnx
import onnxruntime

PHANTOM = """
[phantom.scan]
voxel_mm = [0.9, 0.9, 2.0]
matrix = [200, 240, 80]
echo_times_s = [0.008, 0.016, 0.024]
"""


def logits_of_ours(program, model, network, member, size, values):
    size = ",".join(map(str, size))
    command = [program, model, network, str(member), size]
    found = subprocess.run(command, input=values.astype("<f4").tobytes(), capture_output=True, check=True)
    return np.frombuffer(found.stdout, "<f4")


def load(folder):
    spec = importlib.util.spec_from_file_location("run", folder / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(name, difference, limit):
    print(f"{name}: largest difference {difference:.2e} (limit {limit:.0e})")
    if not difference <= limit:
        raise SystemExit(f"{name} differs")


def patches(prepared, size, count, random):
    """Patches within the brain: images times 0.3 in half precision, then where any is not zero."""
    slices, rows, columns = size
    _, nx, ny, nz = prepared.shape
    found = []
    for _ in range(count):
        x, y, z = (random.integers(length // 4, 3 * length // 4) for length in (nx - columns, ny - rows, nz - slices))
        part = prepared[:, x : x + columns, y : y + rows, z : z + slices].transpose(0, 3, 2, 1)
        part = (np.float32(0.3) * part).astype(np.float16).astype(np.float32)
        found.append(np.concatenate([part, (part != 0).any(axis=0)[None]]))
    return np.stack(found).astype(np.float32)


def main():
    deepmir, program, *model = sys.argv[1:]
    model = model[0] if model else "default"
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "phantom.toml").write_text(PHANTOM)
        run = lambda *line: subprocess.run([deepmir, *map(str, line)], check=True, stdout=subprocess.DEVNULL)
        run("phantom", scratch / "bids", "--seed", 3, "--config", scratch / "phantom.toml")
        run("model", "export", model, "-o", scratch / "onnx")
        anat = next((scratch / "bids").glob("sub-*/anat"))
        endings = {"SWI": "acq-swi_T2starw", "QSM": "Chimap", "T2w": "T2w"}
        files = {name: next(anat.glob(f"*_{ending}.nii.gz")) for name, ending in endings.items()}
        mask = next((scratch / "bids").rglob("*_desc-brain_mask.nii.gz"))

        script = load(scratch / "onnx")
        settings = json.loads((scratch / "onnx/plan.json").read_text())
        plan = settings["plan"]
        for path in sorted((scratch / "onnx").glob("*.onnx")):
            onnx.checker.check_model(str(path), full_check=True)
            properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
            assert json.loads(properties["plan"]) == plan and properties["classes"] == ", ".join(plan["classes"])
            print(f"{path.name}: onnx.checker passes, {path.stat().st_size / 1e6:.1f} MB")

        images = {name: nibabel.load(files[name]) for name in plan["inputs"]}
        brain = nibabel.load(mask).get_fdata() > 0.5
        grid = script.Grid(next(iter(images.values())).affine, brain, plan.get("voxel_mm"))
        values = {name: image.get_fdata(dtype=np.float32) for name, image in images.items()}
        prepared, inside = script.prepare(values, brain, grid, plan)
        _, nx, ny, nz = prepared.shape
        multiple, context = settings["size_multiple"], plan["context_slices"]
        padding = ((0, 0), (0, -ny % multiple), (0, -nx % multiple))
        planes = lambda k: prepared[:, :, :, k - context // 2 : k + context // 2 + 1].transpose(0, 3, 2, 1)
        batch = np.stack([np.pad(planes(k).reshape(-1, ny, nx), padding) for k in (nz // 3, nz // 2)])
        for n, name in enumerate(settings["networks"]):
            theirs = onnxruntime.InferenceSession(scratch / "onnx" / name).run(["logits"], {"images": batch})[0]
            size = (len(batch), *batch.shape[2:])
            ours = logits_of_ours(program, model, "unet", n, size, batch).reshape(theirs.shape)
            check(f"{name}: logits of {len(batch)} slices", np.abs(ours - theirs).max(), 1e-4)
        classifier = settings.get("patch_classifier")
        for n, name in enumerate(classifier["networks"] if classifier else []):
            some = patches(prepared, classifier["size"], 16, random)
            theirs = onnxruntime.InferenceSession(scratch / "onnx" / name).run(["logits"], {"patches": some})[0]
            by_slice = some.transpose(0, 2, 1, 3, 4)
            ours = logits_of_ours(program, model, "patch-classifier", n, [len(some)], by_slice).reshape(theirs.shape)
            check(f"{name}: logits of {len(some)} patches", np.abs(ours - theirs).max(), 1e-4)

        for given in (plan["inputs"], plan["inputs"][:1]):
            line = [part for name in given for part in (f"--{name.lower()}", files[name])] + ["--mask", mask]
            out = scratch / "-".join(given)
            run("predict", *line, "-o", out / "ours", "--model", model)
            command = [sys.executable, scratch / "onnx/run.py", *line, "-o", out / "theirs"]
            subprocess.run(list(map(str, command)), check=True)
            for name in plan["classes"]:
                ours = nibabel.load(next((out / "ours").glob(f"*_label-{name}_probseg.nii.gz")))
                theirs = nibabel.load(out / f"theirs/probability_{name}.nii.gz")
                assert np.allclose(ours.affine, theirs.affine, atol=1e-4)
                ours, theirs = ours.get_fdata(), theirs.get_fdata()
                what = f"run.py with {', '.join(given)}: {name} (highest {ours.max():.3f})"
                check(what, np.abs(ours - theirs).max(), 1e-3)


if __name__ == "__main__":
    main()
