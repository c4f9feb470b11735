"""Study files: recipes x methods x settings x seeds, written out as single runs before anything is started."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fxpsim import accelerator as accelerators
from fxpsim import shipped, toml
from fxpsim.accelerator.base import Table
from fxpsim.errors import UserError
from fxpsim.registry import unknown
from fxpsim.train import ResolvedRecipe, load_recipe
from fxpsim.train.recipe import validate

Names = Annotated[tuple[str, ...], Field(strict=False)]
# what says how a run is watched or where its data are, and changes no bit of it
_NOT_IN_FINGERPRINT = ("description", "checkpoint", "cost", "evaluation_batch")


class GroupTable(Table):
    """Runs that belong together: every combination of its recipes, methods and settings, with every seed."""

    label: str = Field(default="", description="put in front of the runs' names where they would be the same")
    recipes: Names
    methods: Names = Field(default=(), description="names or paths; the recipes' own unless given")
    settings: Names = Field(default=(), description="KEY=VALUE for all runs of the group")
    vary: dict[str, list[Any]] = Field(default_factory=dict, description="KEY -> the values it takes in turn")


class PublishedTable(Table):
    """A row of figures that others have published, to be shown beside ours."""

    label: str
    source: str = Field(min_length=1)
    values: dict[str, float] = Field(description="columns of table.csv -> values")


class Study(Table):
    """A study: what to run, and what to compare it on."""

    name: str
    description: str
    notes: str = Field(default="", description="paragraphs for the page: what is compared, why figures differ")
    seeds: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = (1,)
    settings: Names = Field(default=(), description="KEY=VALUE for all runs")
    accelerators: Names = Field(
        default=(), description="NAME KEY=VALUE ..., for the prices; the recipes' own unless given"
    )
    reference: str = Field(default="", description="method or label that all others are compared with, too")
    group: Annotated[tuple[GroupTable, ...], Field(strict=False, min_length=1)]
    published: Annotated[tuple[PublishedTable, ...], Field(strict=False)] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Planned:
    """One run of a study.

    Parameters
    ----------
    name : str
        Its folder: recipe, method, varied settings and seed.
    recipe : str
        Shipped name or path, as the command line takes it.
    variant : str
        The varied settings in words; empty where nothing varies.
    overrides : tuple of str
        ``KEY=VALUE`` of the recipe, without the seed.
    seed : int
        Its seed.
    data_dir : Path, optional
        Where its data are.
    resolved : ResolvedRecipe
        The recipe with everything it names.
    """

    name: str
    recipe: str
    variant: str
    overrides: tuple[str, ...]
    seed: int
    data_dir: Path | None
    resolved: ResolvedRecipe


def load_study(name_or_path: str) -> tuple[Study, Path]:
    """Return a study by shipped name or path, and its file."""
    path = shipped.find("studies", name_or_path)
    return validate(Study, toml.read(path), where=str(path)), path


def plan(study: Study, path: Path, *, data_dir: Path | None = None) -> list[Planned]:
    """Return all runs of a study, each with its recipe resolved.

    Raises
    ------
    UserError
        If something that a study names is wrong, or two runs would have the same name.
    """
    for accelerator in study.accelerators:
        accelerators.load_changed(accelerator)
    runs: dict[str, Planned] = {}
    for number, group in enumerate(study.group):
        for recipe, method, values in itertools.product(
            group.recipes, group.methods or ("",), itertools.product(*group.vary.values())
        ):
            varied = dict(zip(group.vary, values, strict=True))
            for seed in study.seeds:
                one = _planned(study, group, path.parent, recipe, method, varied, seed, data_dir)
                if one.name in runs:
                    raise UserError(
                        f"two runs are called {one.name!r}",
                        where=f"{path}, group {number + 1}",
                        expected="runs that differ in recipe, method, varied settings or seed",
                        remedy="give one of the groups a label",
                    )
                runs[one.name] = one
    names = dict.fromkeys(name for run in runs.values() for name in (run.resolved.method.name, run.variant) if name)
    if study.reference and study.reference not in names:
        raise unknown("reference", study.reference, names, where=str(path))
    return list(runs.values())


def _planned(
    study: Study,
    group: GroupTable,
    folder: Path,
    recipe: str,
    method: str,
    varied: dict[str, Any],
    seed: int,
    data_dir: Path | None,
) -> Planned:
    recipe, method = _found(recipe, folder), _found(method, folder)
    overrides = [*study.settings, *group.settings, *([f"method={method}"] if method else [])]
    overrides += [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in varied.items()]
    parts = [f"{key.rpartition('.')[2]}-{_stem(str(value))}" for key, value in varied.items()]
    name = "--".join([*filter(None, (group.label, _stem(recipe), _stem(method))), *parts, f"seed{seed}"])
    changes = [*overrides, f"seed={seed}"]
    if data_dir is not None:  # sets of several kinds lie side by side in one folder
        own = data_dir / load_recipe(recipe, overrides=changes).recipe.data.name
        data_dir = own if own.is_dir() else data_dir
    return Planned(
        name=re.sub(r"[^\w.-]+", "_", name),
        recipe=recipe,
        variant=", ".join(filter(None, (group.label, *(part.replace("-", " ", 1) for part in parts)))),
        overrides=tuple(overrides),
        seed=seed,
        data_dir=data_dir,
        resolved=load_recipe(recipe, overrides=changes, data_dir=data_dir),
    )


def _found(name: str, folder: Path) -> str:
    """Return a path as seen from here where it is one beside the study's file; else the name as it is."""
    return str(folder / name) if name.endswith(".toml") and (folder / name).is_file() else name


def _stem(name: str) -> str:
    return Path(name).stem if name.endswith(".toml") else name


def fingerprint(resolved: ResolvedRecipe) -> str:
    """Return the SHA-256 of everything that decides a run's bits: not of descriptions, nor of where the data lie.

    >>> same = [fingerprint(load_recipe("lenet5-digits", overrides=[key])) for key in ("seed=1", "evaluation_batch=9")]
    >>> same[0] == same[1], fingerprint(load_recipe("lenet5-digits", overrides=["seed=2"])) == same[0]
    (True, False)
    """
    recipe = resolved.recipe.model_dump(mode="json")
    for key in _NOT_IN_FINGERPRINT:
        recipe.pop(key)
    recipe["data"].pop("dir")
    recipe |= dict.fromkeys(("network", "method", "accelerator"), "")  # names; their contents follow
    method, accelerator = (table.model_dump(mode="json") for table in (resolved.method, resolved.accelerator))
    for words in ("description", "source"):
        method.pop(words)
        accelerator.pop(words)
    if method["training"]["loss"] == "task":  # a key that came later: its default leaves earlier runs what they were
        method["training"].pop("loss")
    parts: Sequence[Any] = (
        recipe,
        method,
        accelerator,
        resolved.network_file.read_text(encoding="utf-8"),
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
