"""OpenVINO: `worker_openvino.py infer FOLDER BASE POOLINGS BATCH SIZE f32|bf16`."""

import sys
from pathlib import Path

import openvino
import serve

_, folder, *numbers, precision = sys.argv[1:]
_, _, batch, size = map(int, numbers)
core = openvino.Core()
settings = {
    "INFERENCE_NUM_THREADS": serve.threads(),
    "INFERENCE_PRECISION_HINT": precision,
    "PERFORMANCE_HINT": "LATENCY",
}
compiled = core.compile_model(str(Path(folder) / f"network-{batch}.onnx"), "CPU", settings)
request = compiled.create_infer_request()
images = serve.read_input(folder, batch, size)
serve.serve(lambda: request.infer([images]), lambda: request.get_output_tensor().data)
