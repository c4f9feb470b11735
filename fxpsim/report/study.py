"""What a study leaves: one row a run, one row a configuration, a page in Markdown and a comparison in HTML."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fxpsim.report.compare import comparison_page
from fxpsim.report.markdown import Field, markdown_table
from fxpsim.report.numbers import duration, percent, plural, ratio, scaled, signed, significant
from fxpsim.report.page import write_page
from fxpsim.report.published import measured
from fxpsim.report.rundir import Run, read_run, read_times
from fxpsim.report.study_metrics import Published, labels, own_metrics_part, published_rows, sources_part, widths_part
from fxpsim.report.study_rows import (
    STREAMS,
    Row,
    StudyRun,
    merged,
    run_row,
    with_differences,
    with_reference,
    with_speedup_to_accuracy,
)
from fxpsim.report.write import priced_by_all


def write_study(
    places: Sequence[StudyRun],
    folder: Path,
    *,
    name: str,
    description: str = "",
    notes: str = "",
    command: str = "",
    accelerators: Sequence[str] | None = None,
    reference: str = "",
    missing: Mapping[str, str] | None = None,
    published: Sequence[Published] = (),
    gemm_times: Sequence[str | Path] = (),
) -> Path:
    """Write ``runs.csv``, ``table.csv``, ``README.md`` and ``comparison.html`` of finished runs.

    Parameters
    ----------
    places : sequence of StudyRun
        The runs, in the order in which they are shown.
    folder : Path
        Where the files go.
    name, description, notes, command : str
        What the page says about the study; the command that makes it.
    accelerators : sequence of str, optional
        What all runs are priced on, ``KEY=VALUE`` behind a name where it is changed; those of the recipes unless given.
    reference : str
        Method or variant that all others of its recipe are compared with, besides float32 and static 8 bit.
    missing : mapping of str to str, optional
        Runs that are not there, and why.
    published : sequence of (label, source, values)
        Figures of others, by column of ``table.csv``.
    gemm_times : sequence of str or Path
        Measured GEMMs of a CPU, a file for each network, for runs with APT; the runs of other networks go without.

    Returns
    -------
    Path
        ``README.md``.
    """
    import pandas as pd

    from fxpsim.records import write_table

    runs = [read_run(place.path) for place in places]
    chosen = list(accelerators) if accelerators else priced_by_all(runs)
    times = [read_times(path) for path in gemm_times]
    rows = [
        run_row(place, run, chosen, times=next((known for known in times if measured(run, known)), None))
        for place, run in zip(places, runs, strict=True)
    ]
    rows = with_speedup_to_accuracy(rows, runs)
    table = with_reference(with_differences(merged(rows)), reference)
    write_table(pd.DataFrame(rows), folder / "runs.csv")
    write_table(pd.DataFrame(table), folder / "table.csv")
    write_page(comparison_page(_first_of_each(places, runs), chosen), folder / "comparison.html")
    parts = [f"# {name}", description, notes.strip(), _results(table, reference)]
    parts += [_cost(table, chosen_name, reference, published) for chosen_name in _priced_names(table)]
    parts += [own_metrics_part(table, published), sources_part(published), widths_part(table)]
    parts += [_missing(missing or {}), _made(runs, rows, command)]
    return write_page("\n\n".join(part for part in parts if part) + "\n", folder / "README.md")


def _results(table: Sequence[Row], reference: str) -> str:
    fields = [
        *labels(table),
        Field(title="seeds", key="seeds"),
        Field(title="test accuracy", key="test_accuracy", row=_accuracy),
        Field(title="to float32", key="points_float32", write=signed),
        Field(title="to static int8", key="points_int8", write=signed),
        Field(title=f"to {reference}", key="points_reference", write=signed),
        Field(title="test loss", key="test_loss", write=significant),
        Field(title="mean bits", key="mean_bits", write=significant),
        *(Field(title=f"{stream}s", key=f"{stream}_mean_bits", write=significant) for stream in STREAMS),
        Field(title="MAdds", key="macs", write=scaled),
        Field(title="bit operations", key="bit_ops", write=scaled),
        Field(title="bit-exact", key="bit_exact", write=lambda exact: "yes" if exact else "no"),
        Field(title="simulated in", key="wall_s", write=duration),
    ]
    text = (
        "Accuracies are means over the seeds, ± half of what lies between the best and the worst; the differences are "
        "percentage points to the run of the same recipe in float32, and with the method `int8`. Mean bits are over "
        "all steps and all elements of the tensors, float32 counts as 32; MAdds and bit operations are those of the "
        "whole training, forward and backward."
    )
    return f"## Results\n\n{text}\n\n{markdown_table(fields, table)}"


def _cost(table: Sequence[Row], name: str, reference: str, published: Sequence[Published]) -> str:
    fields = [
        *labels(table),
        Field(title="time", key=f"{name}.time_s", write=lambda s: scaled(s, "s")),
        Field(title="energy", key=f"{name}.energy_j", write=lambda j: scaled(j, "J")),
        Field(title="faster than float32", key=f"{name}.speedup_float32", write=ratio),
        Field(title="than static int8", key=f"{name}.speedup_int8", write=ratio),
        Field(title=f"than {reference}", key=f"{name}.speedup_reference", write=ratio),
        Field(title="energy of float32's", key=f"{name}.energy_ratio_float32", write=percent),
        Field(title="of static int8's", key=f"{name}.energy_ratio_int8", write=percent),
        Field(title=f"of {reference}'s", key=f"{name}.energy_ratio_reference", write=percent),
        Field(title="weights of float32's", key=f"{name}.model_size_ratio_float32", write=percent),
        Field(title="of static int8's", key=f"{name}.model_size_ratio_int8", write=percent),
    ]
    theirs = published_rows(published, lambda key: key.startswith(f"{name}."))
    return f"## Modeled cost of the training on {name}\n\n{markdown_table(fields, [*table, *theirs])}"


def _missing(missing: Mapping[str, str]) -> str:
    if not missing:
        return ""
    lines = [f"- `{name}`: {why}" for name, why in missing.items()]
    return "\n".join(["## Missing", "", *lines])


def _made(runs: Sequence[Run], rows: Sequence[Row], command: str) -> str:
    """Return what made these figures: command, machine, versions, time."""
    machines = dict.fromkeys(_machine(run.environment) for run in runs)
    total = sum(row["wall_s"] or 0 for row in rows)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        *([f"    {command}", ""] if command else []),
        f"{plural(len(runs), 'run')}, {duration(total)} in sum; tables of {today}. Machine:",
        "",
        *(f"- {machine}" for machine in machines if machine),
        "",
        "`table.csv` holds these figures and more, `runs.csv` those of every run and the SHA-256 of its trained state.",
    ]
    return "## How it was made\n\n" + "\n".join(lines)


def _machine(environment: Mapping[str, Any]) -> str:
    if not environment:
        return ""
    packages = environment.get("packages", {})
    words = [environment.get("processor") or environment.get("machine"), environment.get("platform")]
    words += [plural(environment["threads"], "thread")] if "threads" in environment else []
    versions = {"fxpsim": environment.get("fxpsim"), "Python": environment.get("python")}
    versions |= {name: packages.get(name) for name in ("numpy", "numba")}
    words += [f"{name} {version}" for name, version in versions.items() if version]
    return ", ".join(str(word) for word in words if word)


def _first_of_each(places: Sequence[StudyRun], runs: Sequence[Run]) -> list[Run]:
    """Return the first run of every configuration: a page with all seeds would be hard to read."""
    found: dict[tuple[str, str, str], Run] = {}
    for place, run in zip(places, runs, strict=True):
        found.setdefault((place.recipe, place.method, place.variant), run)
    return list(found.values())


def _accuracy(row: Mapping[str, Any]) -> str:
    text = percent(row["test_accuracy"], 2)
    return text if row["seeds"] == 1 else f"{text} ± {50 * row['test_accuracy_spread']:.2f}"


def _priced_names(table: Sequence[Row]) -> list[str]:
    ends = ".time_s"
    return list(dict.fromkeys(key.removesuffix(ends) for row in table for key in row if key.endswith(ends)))
