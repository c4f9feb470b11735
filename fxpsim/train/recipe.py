"""Recipes and methods: the files that say what a run is, read strictly and resolved completely."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from fxpsim import accelerator as accelerators
from fxpsim import shipped, toml
from fxpsim.accelerator import Accelerator
from fxpsim.accelerator.base import Count, NotNegative, SourcedTable, Table
from fxpsim.accelerator.problems import user_error
from fxpsim.errors import UserError
from fxpsim.registry import unknown

Options = dict[str, Any]
Model = TypeVar("Model", bound=Table)


class DataTable(Table):
    """Which data, and how a batch is made of it."""

    name: str
    dir: str | None = None
    augment: Annotated[tuple[str, ...], Field(strict=False)] = ()
    options: Options = Field(default_factory=dict)


class CheckpointTable(Table):
    """How often a run saves itself."""

    every_epochs: Count = 1
    every_minutes: NotNegative = 5.0


class CostTable(Table):
    """Which accelerators price the run, and against what."""

    accelerators: Annotated[tuple[str, ...], Field(strict=False)] = ()
    baseline: Literal["float32", "int8"] = "float32"


Float32Part = Literal["normalization", "loss", "update", "error"]


class StepTable(Table):
    """How a step is made of its batch."""

    accumulate: Count = Field(
        default=1, description="micro-batches that a batch is cut into: one update with the mean of their gradients"
    )
    float32_parts: Annotated[tuple[Float32Part, ...], Field(strict=False)] = Field(
        default=(),
        description="parts of an all-integer step to compute in binary32, to see what they cost",
    )


class TrainingTable(Table):
    """What a method changes in training besides the quantizers; the defaults change nothing."""

    loss: Literal["task", "niti", "squares"] = Field(
        default="task",
        description="of classifiers: cross entropy, NITI's integer rule for its gradient, or squares of one-hots",
    )
    l1_decay: NotNegative = Field(
        default=0.0,
        description="adds l1_decay * sum |w| to the loss, over all parameters as the forward pass reads them",
    )
    normalize_gradient: bool = Field(default=False, description="divide every gradient by its Euclidean norm")
    initializer: Literal["network", "tnvs"] = Field(default="network", description="initial weights")
    initializer_scale: NotNegative = Field(default=0.5, description="s of tnvs")


class Method(SourcedTable):
    """A method: the quantizers of the streams, and the policy that moves their bits."""

    name: str
    description: str
    arithmetic: Literal["accelerator", "float32"] = Field(
        default="accelerator", description="float32 replaces the accelerator's vector and update unit (the baseline)"
    )
    streams: dict[str, Options]
    layers: dict[str, dict[str, Options]] = Field(default_factory=dict)
    policy: Options = Field(default_factory=lambda: {"name": "static"})
    training: TrainingTable = TrainingTable()


class Recipe(Table):
    """One run: network, data, method, accelerator, schedule, seed."""

    name: str
    description: str
    network: str
    network_options: Options = Field(default_factory=dict)
    method: str
    accelerator: str
    seed: int = 1
    epochs: Count
    batch: Count
    evaluation_batch: Count = 256
    data: DataTable
    optimizer: Options
    schedule: Options = Field(default_factory=lambda: {"name": "constant"})
    training: StepTable = StepTable()
    checkpoint: CheckpointTable = CheckpointTable()
    cost: CostTable = CostTable()


class ResolvedRecipe:
    """A recipe with everything it names.

    Parameters
    ----------
    recipe : Recipe
        The validated recipe.
    method : Method
        The method it names, overrides applied.
    accelerator : Accelerator
        The accelerator it names, overrides applied.
    network_file : Path
        The network's Python file.
    """

    def __init__(self, recipe: Recipe, method: Method, accelerator: Accelerator, network_file: Path) -> None:
        self.recipe, self.method, self.accelerator, self.network_file = recipe, method, accelerator, network_file


def load_recipe(
    name_or_path: str, *, overrides: Sequence[str] = (), data_dir: str | Path | None = None
) -> ResolvedRecipe:
    """Load a recipe by shipped name or path and everything that it names.

    Parameters
    ----------
    name_or_path : str
        A shipped name (``lenet5-digits``) or the path of a ``.toml`` file.
    overrides : sequence of str
        ``KEY=VALUE`` with a dotted key of the recipe; keys that begin with ``method.`` or ``accelerator.`` go on into
        those files (``method.streams.weight.word_bits=6``).
    data_dir : str or Path, optional
        Directory with the data files.

    Raises
    ------
    UserError
        If a file is missing or anything in it is wrong.

    Examples
    --------
    >>> resolved = load_recipe("lenet5-digits", overrides=["method=float32", "seed=7"])
    >>> resolved.recipe.seed, resolved.method.name
    (7, 'float32')
    """
    path = shipped.find("recipes", name_or_path)
    folder = path.parent
    data = toml.read(path)
    inner: dict[str, list[tuple[str, Any, str]]] = {"method": [], "accelerator": []}
    for override in overrides:
        key, value = _split(override)
        first, _, rest = key.partition(".")
        if first in inner and rest:
            inner[first].append((rest, value, override))
        else:
            _set(data, key, value, Recipe, f"--set {override}")
    if data_dir is not None:
        _set(data, "data.dir", str(Path(data_dir).expanduser().absolute()), Recipe, "--data-dir")
    recipe = validate(Recipe, data, where=str(path))
    method_path = shipped.find("methods", recipe.method, relative_to=folder)
    method_data = toml.read(method_path)
    for key, value, override in inner["method"]:
        _set(method_data, key, value, Method, f"--set {override}")
    method = validate(Method, method_data, where=str(method_path))
    accelerator_path = shipped.find("accelerators", recipe.accelerator, relative_to=folder)
    accelerator = accelerators.load(str(accelerator_path))
    for key, value, _ in inner["accelerator"]:
        accelerator = accelerator.with_set(key, value)
    network = shipped.find("networks", recipe.network, relative_to=folder)
    return ResolvedRecipe(recipe, method, accelerator, network)


def validate(model: type[Model], data: dict[str, Any], *, where: str) -> Model:
    """Return the validated table; ``where`` names the file in errors."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise user_error(error, where, model) from error


def _split(override: str) -> tuple[str, Any]:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UserError(
            f"--set {override}", where="command line", expected="KEY=VALUE", remedy="for example --set method=float32"
        )
    return key, toml.value(value)


def _set(data: dict[str, Any], key: str, value: Any, model: type[Table], where: str) -> None:
    """Set a dotted key; the first part must be one of the model's."""
    parts = key.split(".")
    if parts[0] not in model.model_fields:
        raise unknown("key", parts[0], model.model_fields, where=where)
    table = data
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UserError(
                f"{part!r} is a value, not a table",
                where=where,
                expected="a dotted key of tables",
                remedy="shorten the key",
            )
    table[parts[-1]] = value
