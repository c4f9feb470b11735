"""Write the tables of models/README.md from the files themselves: python docs/update_models_index.py."""

import ast
import inspect
import re
import runpy
import tomllib
from pathlib import Path

from fxpsim import nn

MODELS = Path(__file__).resolve().parents[1] / "models"


def description(path: Path) -> str:
    """Return the first line of a network's docstring, or what a TOML file says of itself."""
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return tomllib.loads(text)["description"]
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0].rstrip(".")


def network_table() -> str:
    """Return the table of the networks, with their sizes as they are built without options."""
    rows = []
    for path in sorted((MODELS / "networks").glob("[!_]*.py")):
        module = runpy.run_path(str(path))
        build = module["build"]
        signature = inspect.signature(build).parameters
        shape = module.get("EXAMPLE_INPUT") or signature["input_shape"].default
        size = nn.measure(build(), (1, *shape))
        text = " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[2].split())
        source = re.match(r"(?:After )?(.*?\b(?:19|20)\d\d\b)", text)
        shown = " x ".join(map(str, shape))
        rows.append(
            f"| [`{path.stem}`](networks/{path.name}) | {description(path)} | {shown} | {size.parameters:,} "
            f"| {size.madds:,} | {source[1] if source else 'our own'} |"
        )
    return "\n".join(
        ["| name | what | input | parameters | MAdds a sample | source |", "|---|---|---|---|---|---|", *rows]
    )


def table(kind: str) -> str:
    """Return the table of one folder."""
    if kind == "networks":
        return network_table()
    files = sorted(
        path for path in (MODELS / kind).iterdir() if path.suffix in (".py", ".toml") and path.stem[0] != "_"
    )
    rows = [f"| [`{path.stem}`]({kind}/{path.name}) | {description(path).replace('|', '/')} |" for path in files]
    return "\n".join(["| name | what |", "|---|---|", *rows])


def updated(page: str) -> str:
    """Return the page with the table under each heading ``## Kind (`kind/...`)`` renewed."""
    return (
        re.sub(
            r"(\(`(\w+)/[^\n]*\n.*?\n)\| name \|.*?(?=\n\n|\Z)",
            lambda found: found[1] + table(found[2]),
            page.rstrip("\n"),
            flags=re.DOTALL,
        )
        + "\n"
    )


if __name__ == "__main__":
    path = MODELS / "README.md"
    path.write_text(updated(path.read_text("utf-8")), "utf-8")
