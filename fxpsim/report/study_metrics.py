"""The part of a study's page that follows the methods' own conventions, with published figures beside ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fxpsim.report.markdown import Field, markdown_table
from fxpsim.report.numbers import percent, ratio, significant
from fxpsim.report.study_rows import Row

Published = tuple[str, str, Mapping[str, float]]

_SHARE, _RATIO = percent, ratio
# column -> heading and how it is written, in the order of the table
_METRICS = {
    "test_accuracy": ("test accuracy", lambda share: percent(share, 2)),
    "float32_accuracy": ("accuracy in float32", _SHARE),
    "points_float32": ("points to float32", significant),
    "adept_speedup": ("SU without overhead", _RATIO),
    "adept_speedup_with_overhead": ("SU", _RATIO),
    "adept_iso_speedup": ("SU_iso", _RATIO),
    "adept_inference_speedup": ("SU_inf", _RATIO),
    "adept_size": ("SZ", significant),
    "adept_memory": ("MEM", significant),
    "adept_sparsity": ("zeros, mean", _SHARE),
    "adept_final_sparsity": ("zeros, at the end", _SHARE),
    "adept_overhead_share": ("overhead", _SHARE),
    "adept_overhead_share_of_batch": ("overhead, of the batch", _SHARE),
    "marvin_speedup": ("SU of MARViN", _RATIO),
    "marvin_size": ("SZ of MARViN", significant),
    "apt_modeled_speedup": ("CPU, modeled", _RATIO),
    "apt_measured_speedup": ("CPU, measured", _RATIO),
    "fractrain_cp": ("FracTrain cp", _SHARE),
    "cpt_bitops": ("CPT bit operations", significant),
    "dynasty_ideal_speedup": ("DYNASTY, ideal", _RATIO),
    "dynasty_lockstep_speedup": ("DYNASTY, lock step", _RATIO),
    "ebops": ("EBOPs", significant),
}
_GENERAL = ("test_accuracy", "float32_accuracy", "points_float32")


def labels(table: Sequence[Row]) -> list[Field]:
    """Return the columns that say what a row is: those in which the rows differ, and the method."""
    several = len({row["recipe"] for row in table}) > 1
    varied = any(row["variant"] for row in table)
    keys = [*(["recipe"] if several else []), "method", *(["variant"] if varied else [])]
    return [Field(title=key, key=key) for key in keys]


def own_metrics_part(table: Sequence[Row], published: Sequence[Published]) -> str:
    """Return the rows whose methods have metrics of their own, and the published ones under them."""
    keys = [key for key in _METRICS if key not in _GENERAL]
    ours = [row for row in table if any(row.get(key) is not None for key in keys)]
    theirs = published_rows(published, _METRICS.__contains__)
    if not ours and not theirs:
        return ""
    fields = [*labels(table), *(Field(title=title, key=key, write=write) for key, (title, write) in _METRICS.items())]
    text = (
        "Each metric counts what its authors count (`docs/cost-model.md`, published metrics), and is no measure "
        "between methods."
    )
    return "\n\n".join(["## By the methods' own metrics", text, markdown_table(fields, [*ours, *theirs])])


def sources_part(published: Sequence[Published]) -> str:
    """Return where the published figures stand."""
    lines = dict.fromkeys(f"- {label}: {source}" for label, source, _ in published)
    return "\n".join(["## Published", "", *lines]) if lines else ""


def published_rows(published: Sequence[Published], shown: Callable[[str], bool]) -> list[Row]:
    """Return a row for everything published that has a value of the columns shown."""
    return [
        {"recipe": "published", "method": label, "variant": "", **values}
        for label, _, values in published
        if any(shown(key) for key in values)
    ]


def widths_part(table: Sequence[Row]) -> str:
    """Return the share of layers and steps at each word length, of the rows whose words change."""
    rows: list[Row] = []
    for row in table:
        shares: dict[str, dict[str, float]] = {}
        for key, value in row.items():
            stream, found, width = key.partition("_share_")
            if found and width and value is not None:
                shares.setdefault(stream, {})[width] = value
        name = {key: row[key] for key in ("recipe", "method", "variant")}
        rows += [{**name, "stream": stream, **own} for stream, own in shares.items() if len(own) > 1]
    if not rows:
        return ""
    widths = {key for row in rows for key in row if key.isdigit()}
    fields = [*labels(table), Field(title="stream", key="stream")]
    fields += [Field(title=f"{width} bit", key=width, write=percent) for width in sorted(widths, key=int)]
    fields.append(Field(title="float32", key="float32", write=percent))
    text = "Of the streams whose word lengths change."
    return f"## Share of layers and steps at each word length\n\n{text}\n\n{markdown_table(fields, rows)}"
