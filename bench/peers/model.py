"""The U-Net in PyTorch, and its weights as plain files.

Names are those of `deepmir_kernels::unet::Architecture::tensors`. A folder of weights holds
`weights.txt` (a line a tensor: its name and how many values it has) and `weights.bin` (all values,
f32, little-endian, in that order), which any program can read.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

EPSILON = 1e-3


class Block(nn.Module):
    """Two 3×3 convolutions with batch norm and ReLU."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs, eps=EPSILON)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x):
        x = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(x)))


class Up(nn.Module):
    """One step up: transposed convolution, concatenation, batch norm and ReLU, a block."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.concatenated = nn.BatchNorm2d(2 * outputs, eps=EPSILON)
        self.block = Block(2 * outputs, outputs)

    def forward(self, below, skip):
        joined = torch.cat([skip, self.up(below)], dim=1)
        return self.block(torch.relu(self.concatenated(joined)))


class UNet(nn.Module):
    """The reference network; its output are scores before softmax."""

    def __init__(self, inputs, base, poolings, classes):
        super().__init__()
        widths = [base << level for level in range(poolings + 1)]
        self.encoder = nn.ModuleList(
            Block(a, b) for a, b in zip([inputs, *widths], widths, strict=False)
        )
        self.decoder = nn.ModuleList(Up(b, a) for a, b in zip(widths, widths[1:], strict=False))
        self.head = nn.Conv2d(base, classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, x):
        skips = []
        for block in self.encoder[:-1]:
            skips.append(block(x))
            x = torch.max_pool2d(skips[-1], 2)
        x = self.encoder[-1](x)
        for up, skip in zip(reversed(self.decoder), reversed(skips), strict=True):
            x = up(x, skip)
        return self.head(x)


class Probabilities(nn.Module):
    """The network with softmax."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return torch.softmax(self.net(x), dim=1)


def tensor_name(name):
    """Our name of a PyTorch tensor, or None for those without values of their own."""
    parent, _, last = name.rpartition(".")
    if last == "num_batches_tracked":
        return None
    if "norm" in parent.rpartition(".")[2] or parent.endswith("concatenated"):
        last = {"weight": "gamma", "bias": "beta"}.get(last, last)
    return f"{parent}.{last}"


def create(base, poolings, seed=0, inputs=3, classes=3):
    """A network whose weights and running statistics look trained: no zeros, no ones.

    Its numbers are numbers of half precision, as those of a model from a file are.
    """
    torch.manual_seed(seed)
    net = UNet(inputs, base, poolings, classes)
    for name, tensor in net.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.8, 1.2)
        elif name.endswith(".bias"):
            tensor.normal_(0, 0.05)
        elif tensor.dim() == 1 and name.endswith(".weight"):
            tensor.uniform_(0.8, 1.2)
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
    return net


def save(net, folder):
    """Writes the weights as plain files."""
    folder = Path(folder)
    with open(folder / "weights.txt", "w") as index, open(folder / "weights.bin", "wb") as values:
        for name, tensor in net.state_dict().items():
            ours = tensor_name(name)
            if ours is not None:
                index.write(f"{ours} {tensor.numel()}\n")
                values.write(tensor.detach().numpy().astype("<f4").tobytes())


def load(folder, base, poolings, inputs=3, classes=3):
    """Reads the weights back into a network."""
    net = UNet(inputs, base, poolings, classes)
    values = np.fromfile(Path(folder) / "weights.bin", dtype="<f4")
    state, start = net.state_dict(), 0
    for name, tensor in state.items():
        if tensor_name(name) is not None:
            part = values[start : start + tensor.numel()].reshape(tensor.shape)
            tensor.copy_(torch.from_numpy(part.copy()))
            start += tensor.numel()
    net.load_state_dict(state)
    return net
