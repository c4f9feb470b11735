"""Where the files of ``models/`` are: an explicit path, then the installed copy, then the checkout."""

from pathlib import Path

from fxpsim.errors import UserError
from fxpsim.registry import unknown

# folder under models/ -> suffix of its files
KINDS = {"networks": ".py", "accelerators": ".toml", "methods": ".toml", "recipes": ".toml", "studies": ".toml"}


def models_dir() -> Path:
    """Return the folder that holds the shipped models."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "_shipped" / "models", package.parent / "models"):
        if candidate.is_dir():
            return candidate
    raise UserError(
        "the shipped models are missing",
        where=str(package / "_shipped" / "models"),
        expected="the folder that the wheel installs, or models/ of a checkout",
        remedy="install fxpsim again",
    )


def names(kind: str) -> list[str]:
    """Return the names of the shipped files of one kind, sorted.

    >>> "int8_systolic_32x32" in names("accelerators")
    True
    """
    return sorted(path.stem for path in (models_dir() / kind).glob("*" + KINDS[kind]) if not path.stem.startswith("_"))


def find(kind: str, name: str, *, relative_to: Path | None = None) -> Path:
    """Return the file that ``name`` (a path or a shipped name) stands for.

    Parameters
    ----------
    kind : str
        ``networks``, ``accelerators``, ``methods``, ``recipes`` or ``studies``.
    name : str
        A path to a file, or the name of a shipped one.
    relative_to : Path, optional
        Folder against which a relative path is tried first (the recipe's own folder).

    Raises
    ------
    UserError
        If neither a file nor a shipped model has that name.
    """
    suffix = KINDS[kind]
    candidates = [Path(name)] if relative_to is None else [relative_to / name, Path(name)]
    if name.endswith(suffix) or "/" in name:
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise UserError(
            f"no such {_one(kind)} file: {name}",
            where=", ".join(str(c) for c in candidates),
            expected=f"a {suffix} file, or one of the shipped names: {', '.join(names(kind))}",
            remedy=f"check the path, or run `fxpsim models list {kind}`",
        )
    shipped = models_dir() / kind / (name + suffix)
    if shipped.is_file():
        return shipped
    raise unknown(_one(kind), name, names(kind), where=f"shipped {kind}")


def _one(kind: str) -> str:
    """Return the singular of a kind.

    >>> _one("studies"), _one("recipes")
    ('study', 'recipe')
    """
    return kind.removesuffix("ies") + "y" if kind.endswith("ies") else kind[:-1]
