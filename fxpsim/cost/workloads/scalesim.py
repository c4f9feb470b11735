"""SCALE-Sim topology files as workloads: rows of convolutions, or of M, N, K."""

import csv
from pathlib import Path
from typing import Any

from fxpsim.cost.arrays import Frame
from fxpsim.errors import UserError
from fxpsim.records import as_workload
from fxpsim.records.checking import fail_row
from fxpsim.records.training import Conv, forward_row, training_workload

# ending of a layer's name in the training topologies that come with SCALE-Sim -> pass
_PASSES = {"_fwd": "forward", "_input_grad": "input_grad", "_weight_grad": "weight_grad"}


def from_scalesim(path: str | Path, *, batch: int = 1, training: bool = False) -> Frame:
    """Read a SCALE-Sim topology file.

    Rows have a layer name and seven numbers (input height and width, filter height and width, channels, filters,
    stride; no padding, as there) or three (M, N, K). Names that end with ``_fwd``, ``_input_grad`` or
    ``_weight_grad`` become passes of one layer.

    Parameters
    ----------
    path : str or Path
        The CSV file.
    batch : int
        Samples of a step; SCALE-Sim's files describe one.
    training : bool
        Add the gradient passes to the forward rows of convolutions.

    Raises
    ------
    UserError
        With file and row, if a row is not one of these.
    """
    path = Path(path)
    try:
        lines = [line for line in csv.reader(path.read_text(encoding="utf-8").splitlines()) if any(line)]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read the topology: {error}", where=str(path), expected="a CSV file", remedy="check the path"
        ) from error
    rows: list[dict[str, Any]] = []
    layers: list[Conv] = []
    for number, line in enumerate(lines[1:]):
        name, values = line[0].strip(), _numbers(line[1:], path, number)
        if len(values) == 7:
            layers.append(_convolution(name, values, batch))
            rows.append(forward_row(layers[-1]))
        else:
            rows.append(_matmul(name, values, batch))
    if training:
        if len(layers) < len(rows):
            raise UserError(
                "M, N, K rows do not say which passes they have",
                where=str(path),
                expected="convolution rows for training=True",
                remedy="name the rows with _fwd, _input_grad and _weight_grad, and leave training out",
            )
        return training_workload(layers)
    return as_workload(rows, where=str(path))


def _numbers(fields: list[str], path: Path, row: int) -> list[int]:
    texts = [field.strip() for field in fields if field.strip()]
    count = 7 if len(texts) >= 7 else 3
    try:
        values = [int(text) for text in texts[:count]]  # an eighth field is the sparsity ratio of newer versions
    except ValueError:
        values = []
    if len(values) != count or min(values) < 1:
        fail_row(
            str(path),
            row,
            "all",
            what=f"the row reads {', '.join(texts)!r}",
            expected="seven whole numbers of a convolution, or M, N, K; all above 0",
            remedy="correct the row",
        )
    return values


def _convolution(name: str, values: list[int], batch: int) -> Conv:
    high, wide, kernel_high, kernel_wide, channels, filters, stride = values
    return Conv(
        name=name,
        batch=batch,
        channels=channels,
        filters=filters,
        input_height=high,
        input_width=wide,
        kernel=(kernel_high, kernel_wide),
        stride=(stride, stride),
    )


def _matmul(name: str, values: list[int], batch: int) -> dict[str, Any]:
    m, n, k = values
    layer, of_pass = name, "forward"
    for ending, its_pass in _PASSES.items():
        if name.endswith(ending):
            layer, of_pass = name.removesuffix(ending), its_pass
    # The batch is in the rows of forward and input gradient, and in the reduction of the weight gradient.
    m, k = (m, k * batch) if of_pass == "weight_grad" else (m * batch, k)
    sizes = {"a_elements": m * k, "b_elements": k * n, "out_elements": m * n}
    return {"layer": layer, "pass": of_pass, "op": "matmul", "m": m, "k": k, "n": n} | sizes
