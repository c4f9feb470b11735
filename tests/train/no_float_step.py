"""Run steps on the all-integer accelerator; fail on the first float in any frame, kernel argument or machine code.

The networks are a LeNet-5, a ResNet-14 (batch normalization, shortcuts, micro-batches) and a GPT (layer normalization,
softmax, GELU, clipping by the norm). Of another accelerator, which must fail, an MLP is enough.

Started by ``test_no_float.py`` in a process of its own with an empty kernel cache, so that every kernel is compiled
here and its code can be read.
"""

import gc
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from numba.core.dispatcher import Dispatcher

import fxpsim
from fxpsim.data import Dataset, batches, load
from fxpsim.train import Session, load_recipe

PACKAGE = str(Path(fxpsim.__file__).parent)
# Arithmetic only: Numba puts the text of a shape error together with a logarithm, off the path of any datum
FLOAT_CODE = re.compile(r"\b(fadd|fsub|fmul|fdiv|frem|fneg)\b|llvm\.(fma|fmuladd|sqrt|rint|exp|pow)\w*\.f(32|64)\b")
DECLARATION = re.compile(r"^declare .*$", re.MULTILINE)
found: list[str] = []


def is_float(value: object, scalars: bool) -> bool:
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "fc"
    if isinstance(value, (list, tuple)):
        return any(is_float(v, scalars) for v in value)
    return scalars and isinstance(value, float)


def watch(frame, event, result):
    if event == "return" and frame.f_code.co_filename.startswith(PACKAGE):
        # the choice of a tile's size in kernels/ weighs its time as a Python float: no datum, no result
        scalars = not frame.f_code.co_filename.startswith(PACKAGE + "/kernels/")
        names = [name for name, value in frame.f_locals.items() if is_float(value, scalars)]
        if is_float(result, scalars):
            names.append("return value")
        if names:
            found.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}: {', '.join(names)}")


TEXT = "a small text that says the same again and again, with words and signs. " * 20
RESNET = ["network=resnet_cifar", "network_options={depth=14, width=4}"]  # two blocks of each size: all that differ
GPT = ["network=gpt", "network_options={width=16, layers=1, heads=2, context=8}", "optimizer.clip_norm=1.0"]


def steps(data: Dataset, overrides: list[str]) -> None:
    """Watch three steps of a network."""
    session = Session(load_recipe("lenet5-digits", overrides=overrides), data, steps=10)
    stream = batches(data.train, batch=32, shuffle=True, drop_last=True)
    session.step(0, *next(stream))  # compiles: Numba's own work is not the step's
    before = session.digest()
    sys.setprofile(watch)
    for index, batch in zip(range(1, 4), stream, strict=False):
        session.step(index, *batch)
    sys.setprofile(None)
    assert session.digest() != before, "nothing was trained"


def main(accelerator: str) -> None:
    here = [f"accelerator={accelerator}"]
    if accelerator != "int8_all_integer":
        steps(load("digits"), [*here, "network=mlp"])
    else:
        steps(load("digits"), here)
        steps(load("digits"), [*here, *RESNET, "training.accumulate=2"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "text.txt"
            path.write_text(TEXT)
            steps(load("text", path, window=8), [*here, *GPT])
    kernels = [
        d
        for d in gc.get_objects()
        if issubclass(type(d), Dispatcher) and d.signatures and d.__module__.startswith("fxpsim")
    ]
    assert len(kernels) > 10, "no kernels were found"
    for kernel in kernels:
        for signature, code in kernel.inspect_llvm().items():
            hit = FLOAT_CODE.search(DECLARATION.sub("", code))
            if hit or "float" in str(signature):
                found.append(f"kernel {kernel.__name__}{signature}: {hit.group() if hit else 'a float argument'}")
    print("\n".join(found[:20]) or f"no float in {len(kernels)} kernels")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(sys.argv[1])
