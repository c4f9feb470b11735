"""``fxpsim models``: list, show and copy the shipped networks, accelerators, methods, recipes and studies."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import Annotated

import typer

from fxpsim import shipped, toml
from fxpsim.errors import UserError
from fxpsim.registry import unknown

app = typer.Typer(
    help="List, show and copy the shipped networks, accelerators, methods, recipes and studies.", no_args_is_help=True
)

Kind = Annotated[str | None, typer.Option("--kind", help="networks, accelerators, methods, recipes or studies.")]


@app.command("list")
def list_models(
    kind: Annotated[str | None, typer.Argument(help="networks, accelerators, methods, recipes or studies.")] = None,
) -> None:
    """List what is shipped, with one line each."""
    for one in _kinds(kind):
        typer.echo(f"{one}:")
        for name in shipped.names(one):
            typer.echo(f"  {name:<28} {_description(shipped.find(one, name))}")


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="A shipped name.")], kind: Kind = None) -> None:
    """Print a shipped file."""
    typer.echo(_find(name, kind).read_text(encoding="utf-8"), nl=False)


@app.command("copy")
def copy(
    name: Annotated[str, typer.Argument(help="A shipped name.")],
    target: Annotated[Path, typer.Argument(help="Folder or file to copy to.")] = Path("."),
    kind: Kind = None,
) -> None:
    """Copy a shipped file, to edit it."""
    source = _find(name, kind)
    goal = target / source.name if target.is_dir() else target
    if goal.exists():
        raise UserError(
            "the file exists already",
            where=str(goal),
            expected="a new name",
            remedy="move it away, or copy to another name",
        )
    shutil.copyfile(source, goal)
    typer.echo(str(goal))


def _kinds(kind: str | None) -> list[str]:
    if kind is None:
        return list(shipped.KINDS)
    if kind not in shipped.KINDS:
        raise unknown("kind of model", kind, shipped.KINDS)
    return [kind]


def _find(name: str, kind: str | None) -> Path:
    found = [(one, shipped.find(one, name)) for one in _kinds(kind) if name in shipped.names(one)]
    if not found:
        raise unknown("model", name, [n for one in _kinds(kind) for n in shipped.names(one)], where="shipped models")
    if len(found) > 1:
        raise UserError(
            f"{name!r} is the name of several models",
            where=", ".join(one for one, _ in found),
            expected="one kind",
            remedy=f"add --kind {found[0][0]}",
        )
    return found[0][1]


def _description(path: Path) -> str:
    if path.suffix == ".toml":
        return str(toml.read(path).get("description", ""))
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
