"""The one function that makes a report."""

from collections.abc import Sequence
from pathlib import Path

from fxpsim.errors import UserError
from fxpsim.report.compare import comparison_page
from fxpsim.report.page import write_page
from fxpsim.report.rundir import Run, read_run, read_times
from fxpsim.report.single import run_page
from fxpsim.report.story import part_name


def write_report(
    run_dirs: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    accelerators: Sequence[str] | None = None,
    gemm_times: str | Path | None = None,
) -> Path:
    """Write the report of one run, or the comparison of several.

    Parameters
    ----------
    run_dirs : sequence of str or Path
        Directories of finished runs.
    out : str or Path, optional
        The HTML file; for one run its ``report.html`` where not given.
    accelerators : sequence of str, optional
        Names or paths of the accelerators to price on; those that the runs' recipes name where not given.
    gemm_times : str or Path, optional
        GEMMs of a CPU as ``benchmarks/int_gemm_cpu.py --out`` has measured them: a run with APT then shows the
        measured training speed-up beside the modeled one.

    Returns
    -------
    Path
        The file that was written. It needs no other file and no network.

    Raises
    ------
    UserError
        If a run directory is missing or damaged, an accelerator is unknown, or no runs are given.
    """
    if not run_dirs or (len(run_dirs) > 1 and out is None):
        raise UserError(
            "no runs are given" if not run_dirs else "no file is given for the comparison",
            where="write_report",
            expected="at least one run directory, and for several a file to write",
            remedy="give both",
        )
    runs = [read_run(path) for path in run_dirs]
    chosen = list(accelerators) if accelerators is not None else priced_by_all(runs)
    times = read_times(gemm_times) if gemm_times is not None else None
    html = run_page(runs[0], chosen, times=times) if len(runs) == 1 else comparison_page(runs, chosen)
    return write_page(html, out or runs[0].path / "report.html")


def priced_by_all(runs: Sequence[Run]) -> list[str]:
    """Return the accelerators of all runs, each name once."""
    found: dict[str, str] = {}
    for run in runs:
        for name, place in priced_by(run).items():
            found.setdefault(name, place)
    return list(found.values())


def priced_by(run: Run) -> dict[str, str]:
    """Return name and place of the accelerators that a run's recipe prices it on, its own first.

    Its own is the file in the run directory, with what the command line has changed in it.
    """
    own = run.recipe.get("accelerator")
    places = {}
    if isinstance(own, str):
        file = run.path / own
        places[part_name(run, "accelerator")] = str(file) if file.is_file() else own
    for name in run.recipe.get("cost", {}).get("accelerators", []):
        places.setdefault(str(name), str(name))
    return places
