"""What a run was and what came of it, in words."""

from pathlib import Path

from fxpsim import toml
from fxpsim.records import stream_and_pass
from fxpsim.report.bits import StreamHistory, is_float, mean_bits
from fxpsim.report.numbers import count, duration, percent, plural, significant
from fxpsim.report.rundir import Run

_PLURALS = {"weight": "weights", "activation": "activations", "error": "errors", "gradient": "gradients"}


def run_story(run: Run, histories: list[StreamHistory], gains: str) -> str:
    """Return the sentences on top of the page of one run; ``gains`` says what the cost model found."""
    accuracy = run.accuracy
    result = (
        f"and gets {percent(accuracy)} of the test split right" if accuracy is not None else "without a test accuracy"
    )
    exact = {
        True: " Every step was executed bit for bit as the accelerator would.",
        False: " Some of the run is float, so it is not bit-exact.",
    }.get(run.summary.get("bit_exact"), "")  # type: ignore[call-overload]
    return (
        f"{network(run)} trained on {data(run)} for {plural(_epochs(run), 'epoch')} ({plural(run.steps, 'step')}) "
        f"with {arithmetic(histories)} {result}.{exact}{' ' + gains if gains else ''}"
    )


def arithmetic(histories: list[StreamHistory]) -> str:
    """Return the word lengths of the streams that feed the MAC array, in words."""
    if is_float(histories):
        return "everything in float32"
    groups: dict[str, list[str]] = {}
    for stream, bits in mean_bits(histories).items():
        if stream in _PLURALS:
            floats = is_float([one for one in histories if one.stream == stream])
            groups.setdefault("float32" if floats else f"{significant(bits)}-bit", []).append(_PLURALS[stream])
    return ", ".join(f"{width} {_listed(streams)}" for width, streams in groups.items())


def stream_tile(histories: list[StreamHistory]) -> str:
    """Return the mean bits of weight, activation, error and gradient, briefly.

    Streams that only one pass reads (``error@input_grad``) are listed in the heat map and left out here.
    """
    means = mean_bits(histories)
    return "\u2009/\u2009".join(significant(means[stream], 2) for stream in _PLURALS if stream in means)


def stream_tile_note(histories: list[StreamHistory]) -> str:
    """Return which streams the numbers of `stream_tile` belong to."""
    names = {stream_and_pass(one.stream)[0] for one in histories if "@" not in one.stream}
    return " / ".join(stream for stream in _PLURALS if stream in names)


def facts(run: Run) -> list[tuple[str, str]]:
    """Return what the run was made of."""
    summary = run.summary
    exact = {True: "yes", False: "no"}.get(summary.get("bit_exact"), "unknown")  # type: ignore[call-overload]
    note = str(summary.get("bit_exact_note", ""))
    if note not in ("", exact):
        exact = note
    return [
        ("Network", network(run)),
        ("Data", data(run)),
        ("Method", part_name(run, "method")),
        ("Accelerator", part_name(run, "accelerator")),
        ("Batch", str(run.recipe.get("batch", "–"))),
        ("Seed", str(run.recipe.get("seed", "–"))),
        ("Steps", count(run.steps)),
        ("Bit-exact", exact),
        ("Simulated in", duration(summary["wall_s"]) if "wall_s" in summary else "–"),
    ]


def network(run: Run) -> str:
    """Return the network's name."""
    return part_name(run, "network")


def data(run: Run) -> str:
    """Return the data set's name."""
    return part_name(run, "data")


def part_name(run: Run, key: str) -> str:
    """Return the name of a part of the recipe: a name, a table with one, or a file of the run directory."""
    part = run.recipe.get(key, "–")
    if isinstance(part, dict):
        return str(part.get("name", "–"))
    file = run.path / str(part)
    if file.suffix == ".toml" and file.is_file():
        return str(toml.read(file).get("name", file.stem))
    return Path(str(part)).stem if "/" in str(part) else str(part)


def _epochs(run: Run) -> float:
    return float(run.summary.get("epochs", run.evaluations[-1]["epoch"] if run.evaluations else 0))


def _listed(names: list[str]) -> str:
    """Return names as a list in a sentence.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
