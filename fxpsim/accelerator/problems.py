"""Validation errors as a user reads them: file and key, what was expected, what to do."""

from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from fxpsim.accelerator.schema import Accelerator
from fxpsim.errors import UserError
from fxpsim.registry import unknown


def user_error(error: ValidationError, where: str, root: type[BaseModel] = Accelerator) -> UserError:
    """Return the first problem of a validation as our error, with the number of the others.

    ``root`` is the model of the whole file; it knows the keys that would have been right.
    """
    problems = error.errors(include_url=False)
    # A misspelt key is reported before the key that it leaves missing: it is the cause.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    location = first["loc"]
    key = dotted(location)
    place = f"{where}, key {key}" if key else where
    if first["type"] == "extra_forbidden":
        return unknown("key", str(location[-1]), known_keys(location[:-1], root), where=place)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "missing":
        return UserError(
            f"missing key {key!r}{more}",
            where=where,
            expected=_expectation(location, root),
            remedy=f"add {str(location[-1])!r}; `fxpsim models show NAME` prints a complete file of this kind",
        )
    message = first["msg"].removeprefix("Value error, ")
    shown = f"{key} = {first['input']!r}" if key and not isinstance(first["input"], dict) else message.split("\n")[0]
    return UserError(shown + more, where=place, expected=message.split("\n")[0], remedy="change the value of this key")


def dotted(location: tuple[int | str, ...]) -> str:
    """Return a pydantic location as the key in the file: union tags are no keys.

    >>> dotted(("mac_array", "rate", "fused", "max_bits"))
    'mac_array.rate.max_bits'
    """
    parts: list[str] = []
    for index, part in enumerate(location):
        tag = index >= 2 and location[:2] == ("mac_array", "rate") and index == 2
        if not tag:
            parts.append(str(part))
    return ".".join(parts)


def known_keys(location: tuple[int | str, ...], root: type[BaseModel] = Accelerator) -> list[str]:
    """Return the keys that the table at a location may have."""
    table = _table(location, root)
    return list(table.model_fields) if table else []


def _expectation(location: tuple[int | str, ...], root: type[BaseModel]) -> str:
    table = _table(location[:-1], root)
    field = table.model_fields.get(str(location[-1])) if table else None
    if field is not None and field.description:
        return field.description
    return "this key: the file must say it, there is no default"


def _table(location: tuple[int | str, ...], root: type[BaseModel]) -> type[BaseModel] | None:
    current: Any = root
    for part in location:
        current = _step(current, part)
        if current is None:
            return None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _step(current: Any, part: int | str) -> Any:
    """Return the annotation one part of a location further inwards."""
    if isinstance(current, type) and issubclass(current, BaseModel):
        field = current.model_fields.get(str(part))
        return _plain(field.annotation) if field else None
    if get_origin(current) is dict:
        return _plain(get_args(current)[1])
    if get_origin(current) is tuple:
        return _plain(get_args(current)[0])
    if get_origin(current) is Union:
        for choice in get_args(current):
            law = choice.model_fields.get("law") if hasattr(choice, "model_fields") else None
            if law is not None and part in get_args(law.annotation):
                return choice
    return None


def _plain(annotation: Any) -> Any:
    """Return an annotation without Annotated and without the None of an optional table."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    choices = [choice for choice in get_args(annotation) if choice is not type(None)]
    if type(None) in get_args(annotation) and len(choices) == 1:
        return _plain(choices[0])
    return Union[tuple(choices)] if choices and get_origin(annotation) not in (dict, tuple) else annotation  # noqa: UP007
