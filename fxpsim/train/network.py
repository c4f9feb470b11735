"""Networks from Python files."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from typing import Any

from fxpsim.data import Dataset
from fxpsim.errors import UserError
from fxpsim.nn import Module
from fxpsim.registry import unknown


def build_network(path: Path, dataset: Dataset, options: dict[str, Any]) -> Module:
    """Run ``build(...)`` of a network file.

    ``build`` is called with ``input_shape`` and ``classes`` of the data set, where it takes them, and with the recipe's
    ``network_options``.

    Raises
    ------
    UserError
        If the file has no ``build``, or it does not take an option, or the network cannot be made.
    """
    spec = importlib.util.spec_from_file_location(f"fxpsim_network_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        build = module.build
    except (SyntaxError, ImportError, AttributeError) as error:
        raise UserError(
            f"the network cannot be loaded: {error}",
            where=str(path),
            expected="a Python file with a function build(...) that returns a fxpsim.nn.Module",
            remedy="mend the file, or start from a shipped one: `fxpsim models copy lenet5`",
        ) from error
    accepted = inspect.signature(build).parameters
    for option in options:
        if option not in accepted:
            raise unknown("option", option, accepted, where=f"network_options for {path.name}")
    given = {"input_shape": dataset.input_shape, "classes": dataset.classes}
    arguments = {name: value for name, value in given.items() if name in accepted} | options
    try:
        network = build(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the network cannot be built: {error}",
            where=f"{path.name}, {', '.join(f'{k}={v}' for k, v in arguments.items())}",
            expected="a network that fits the data",
            remedy="change network_options, the network or the data",
        ) from error
    return network.bind()
