"""ONNX Runtime: `worker_onnxruntime.py infer FOLDER BASE POOLINGS BATCH SIZE f32`."""

import sys
from pathlib import Path

import onnxruntime
import serve

_, folder, *numbers, _ = sys.argv[1:]
_, _, batch, size = map(int, numbers)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = serve.threads()
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(
    Path(folder) / f"network-{batch}.onnx", options, providers=["CPUExecutionProvider"]
)
images = {session.get_inputs()[0].name: serve.read_input(folder, batch, size)}
result = {}


def run():
    result["probabilities"] = session.run(None, images)[0]


serve.serve(run, lambda: result["probabilities"])
