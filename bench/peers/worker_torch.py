"""PyTorch: `worker_torch.py infer|train FOLDER BASE POOLINGS BATCH SIZE eager|channels_last|bf16`."""

import sys

import model
import serve
import torch

mode, folder, *numbers, variant = sys.argv[1:]
base, poolings, batch, size = map(int, numbers)
torch.set_num_threads(serve.threads())
layout = torch.contiguous_format if variant == "eager" else torch.channels_last
net = model.load(folder, base, poolings).to(memory_format=layout)
images = torch.from_numpy(serve.read_input(folder, batch, size)).to(memory_format=layout)
result = {}


def precision():
    return torch.autocast("cpu", torch.bfloat16, enabled=variant == "bf16")


if mode == "infer":
    net = model.Probabilities(net).eval()

    def run():
        with torch.inference_mode(), precision():
            result["probabilities"] = net(images)

    serve.serve(run, lambda: result["probabilities"].float().contiguous().numpy())
else:
    net.train()
    labels = torch.from_numpy(serve.read_labels(folder, batch, size))

    def run():
        net.zero_grad(set_to_none=True)
        with precision():
            loss = torch.nn.functional.cross_entropy(net(images), labels)
        loss.backward()

    def gradients():
        named = {model.tensor_name(name): p.grad for name, p in net.named_parameters()}
        parts = [named[name].contiguous().flatten() for name in sorted(named)]
        return torch.cat(parts).numpy()

    serve.serve(run, gradients)
