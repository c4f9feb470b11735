"""Write the tables of models/README.md from the files themselves: python docs/update_models_index.py."""

import ast
import re
import tomllib
from pathlib import Path

MODELS = Path(__file__).resolve().parents[1] / "models"


def description(path: Path) -> str:
    """Return the first line of a network's docstring, or what a TOML file says of itself."""
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return tomllib.loads(text)["description"]
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0].rstrip(".")


def table(kind: str) -> str:
    """Return the table of one folder."""
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
