"""A whole ResNet-20 training step (batch 128, CIFAR-10 shapes), exact integers against PyTorch's float32.

Forward, backward, update, statistics and counters on. All contestants run in turn, in one process, for several rounds;
each timed step follows an untimed one of its kind. The table shows medians and their ratio to torch float32 in its
contiguous format. Only ratios mean anything on a shared machine.

    pip install torch            # a CPU build; and qtorch, ninja for the comparison with QPyTorch
    python benchmarks/training_step.py --rounds 9
    python benchmarks/training_step.py --only int8 --only torch   # some of them
    NUMBA_CPU_NAME=haswell python benchmarks/training_step.py --only int8 --only torch
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

BATCH = 128
# name -> overrides of the recipe
CONTESTANTS = {
    "int8": ["method.streams.error.rounding=half_even"],
    "int8-stochastic": ["method.streams.activation.rounding=stochastic"],
    "int16": [
        "method.streams.error.rounding=half_even",
        *(f"method.streams.{s}.word_bits=16" for s in ("weight", "activation", "error")),
    ],
    "int8-saturate32": [
        "method.streams.error.rounding=half_even",
        "accelerator.mac_array.accumulator.overflow=saturate",
    ],
    "int8-saturate20": [
        "method.streams.error.rounding=half_even",
        "accelerator.mac_array.accumulator.overflow=saturate",
        "accelerator.mac_array.accumulator.word_bits=20",
    ],
    "int8-all-integer": ["accelerator=int8_all_integer"],
    "float32": ["method=float32"],
}


def ours(overrides: list[str]) -> Callable[[], None]:
    """Return a function that makes one step of the recipe with these overrides."""
    from fxpsim.data import Dataset, InputKind, Split, Task
    from fxpsim.train import Session, load_recipe

    random = np.random.default_rng(0)
    split = Split(
        inputs=random.integers(0, 256, (BATCH, 32, 32, 3)).astype(np.uint8),
        targets=random.integers(0, 10, BATCH).astype(np.int32),
    )
    data = Dataset.scaled(
        name="random", train=split, test=split, classes=10, kind=InputKind.IMAGE, task=Task.CLASSIFICATION
    )
    session = Session(load_recipe("resnet20-cifar10", overrides=overrides), data, steps=1000)
    steps = iter(range(1000))
    return lambda: session.step(next(steps), split.inputs, split.targets) and None


def qpytorch_convolution(rounding: str) -> type:
    """Return a convolution class whose operands and errors pass QPyTorch's 8-bit fixed-point quantizers.

    QPyTorch emulates: the codes are float32 numbers, the products and sums are float32. Its fractions are fixed (ours
    follow the leading bit of each tensor, which costs us more).
    """
    from qtorch import FixedPoint
    from qtorch.quant import Quantizer
    from torch import nn
    from torch.nn import functional

    class Convolution(nn.Conv2d):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            code, narrow = FixedPoint(wl=8, fl=4), FixedPoint(wl=8, fl=7)
            modes = {"forward_rounding": rounding, "backward_rounding": rounding}
            self.weight_quantizer = Quantizer(forward_number=narrow, forward_rounding=rounding)
            self.input_quantizer = Quantizer(forward_number=code, **modes)
            self.error_quantizer = Quantizer(backward_number=narrow, **modes)

        def forward(self, x):
            weight = self.weight_quantizer(self.weight)
            y = functional.conv2d(self.input_quantizer(x), weight, None, self.stride, self.padding)
            return self.error_quantizer(y)

    return Convolution


def torch_step(channels_last: bool, threads: int, qpytorch: str = "") -> Callable[[], None]:
    """Return a function that makes one step of the same network in PyTorch: float32, or QPyTorch's with a rounding."""
    import torch
    from torch import nn
    from torch.nn import functional

    convolution = qpytorch_convolution(qpytorch) if qpytorch else nn.Conv2d

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = convolution(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = convolution(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.more = outputs - inputs

        def forward(self, x):
            y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
            if self.more:
                x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
            return functional.relu(y + x)

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    layers: list[nn.Module] = [convolution(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for width in (16, 32, 64):
        for _ in range(3):
            layers.append(Block(channels, width, 1 if width == channels else 2))
            channels = width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    x, y = torch.randn(BATCH, 3, 32, 32), torch.randint(0, 10, (BATCH,))
    if channels_last:
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", help="names, or beginnings of names")
    arguments = parser.parse_args()

    from fxpsim.kernels.threads import set_threads

    set_threads(arguments.threads)
    wanted = arguments.only or [""]
    steps: dict[str, Callable[[], None]] = {}
    for name, channels_last in (("torch float32", False), ("torch float32 channels_last", True)):
        if any(name.startswith(w) for w in wanted):
            steps[name] = torch_step(channels_last, arguments.threads)
    for rounding in ("nearest", "stochastic"):  # asked for by name: five to ten times torch's step
        if any(w and f"qpytorch {rounding}".startswith(w) for w in wanted):
            steps[f"qpytorch {rounding}"] = torch_step(False, arguments.threads, rounding)
    for name, overrides in CONTESTANTS.items():
        if any(name == w or not w for w in wanted):
            steps[name] = ours(overrides)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():  # compiles, warms up
        step()
        step()
    for _ in range(arguments.rounds):
        for name, step in steps.items():
            step()  # in a training run, too, it is a step of the same kind that comes before
            begin = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(values) for name, values in times.items()}
    reference = medians.get("torch float32")
    print(f"{'step':<30} {'median ms':>10} {'min ms':>8} {'x torch':>8}")
    for name, values in times.items():
        ratio = f"{medians[name] / reference:8.2f}" if reference else ""
        print(f"{name:<30} {1e3 * medians[name]:10.0f} {1e3 * min(values):8.0f} {ratio}")


if __name__ == "__main__":
    main()
