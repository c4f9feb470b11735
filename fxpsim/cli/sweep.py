"""``fxpsim sweep``: all runs of a study, those that are not done yet, and the tables that compare them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fxpsim.cli.processes import Job
    from fxpsim.cli.study import Planned, Study

RUNS = Path("reports") / "runs"


def sweep(
    study: Annotated[str, typer.Argument(help="Path of a study, or a shipped name (fxpsim models list studies).")],
    out: Annotated[Path | None, typer.Option(help="Folder of the runs; reports/runs/STUDY unless given.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each in a process of its own.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each run; the cores shared evenly.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of the data, or with a folder for each set.")] = None,
    only: Annotated[str, typer.Option(help="Run only those whose name contains this; the tables hold all.")] = "",
    redo: Annotated[bool, typer.Option("--redo", help="Start runs again whose recipe has changed.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Run nothing, only write the tables.")] = False,
    gemm_times: Annotated[
        list[Path] | None,
        typer.Option(
            help="Measured GEMMs of a CPU (benchmarks/int_gemm_cpu.py --out), for APT; once for each network."
        ),
    ] = None,
    publish: Annotated[Path | None, typer.Option(help="Copy page, tables and study file to this folder.")] = None,
) -> None:
    """Run what a study lists and is not done yet, then write tables and a comparison of all its runs."""
    from fxpsim.cli.processes import execute
    from fxpsim.cli.study import load_study, plan
    from fxpsim.report.rundir import read_times

    for file in gemm_times or ():
        read_times(file)  # hours of runs should not end with a missing file
    loaded, path = load_study(study)
    folder = out or RUNS / loaded.name
    planned = plan(loaded, path, data_dir=data_dir)
    # all first seeds before the second ones: a study that is cut short has something of everything
    in_order = sorted(planned, key=lambda run: loaded.seeds.index(run.seed))
    chosen = [] if tables else [run for run in in_order if only in run.name]
    found = [(run, _state(folder / run.name, run)) for run in chosen]
    _refuse_changed(folder, [run for run, state in found if state == "changed"], redo)
    each = threads or max((os.cpu_count() or 1) // jobs, 1)
    commands = [_job(folder, run, state, each) for run, state in found if state != "done"]
    typer.echo(f"{loaded.name}: {len(planned)} runs, {len(commands)} to do")
    failed: dict[str, int] = {}

    def ended(job: Job, status: int) -> None:
        typer.echo(f"{job.name}: {'done' if status == 0 else _why(job, status)}")
        if status:
            failed[job.name] = status

    interrupted = False
    try:
        execute(commands, at_once=jobs, ended=ended)
    except KeyboardInterrupt:
        interrupted = True
    _write(loaded, folder, planned, failed, _command(study, jobs, threads, data_dir), gemm_times or ())
    if publish is not None:
        _publish(folder, path, publish)
    if interrupted:
        raise KeyboardInterrupt
    if failed:
        typer.echo(f"{len(failed)} runs failed: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


def _why(job: Job, status: int) -> str:
    """Return how a job ended, with the last line that it printed."""
    lines = job.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"failed with status {status} ({lines[-1].strip() if lines else 'no output'}), see {job.log}"


def _state(folder: Path, run: Planned) -> str:
    """Return what is left of a run: ``done``, ``begun``, ``new``, or ``changed`` (another recipe was run there)."""
    from fxpsim.cli.study import fingerprint
    from fxpsim.errors import UserError
    from fxpsim.train import RunDirectory

    if not (folder / "recipe.toml").is_file():
        return "new"
    directory = RunDirectory(folder)
    try:
        same = fingerprint(directory.recipe()) == fingerprint(run.resolved)
    except UserError:  # a file of an older version that no longer reads
        return "changed"
    summary = directory.summary()
    if not same or (summary and summary["epochs"] != run.resolved.recipe.epochs):
        return "changed"
    if "cost" in summary and (folder / "report.html").is_file():
        return "done"
    return "begun" if (folder / "checkpoint" / "latest").is_file() else "new"


def _refuse_changed(folder: Path, changed: list[Planned], redo: bool) -> None:
    from fxpsim.errors import UserError

    if changed and not redo:
        raise UserError(
            f"{len(changed)} runs were made from another recipe: {', '.join(run.name for run in changed)}",
            where=str(folder),
            expected="runs of the study as it is now",
            remedy="--redo starts them again; another --out keeps them",
        )
    for run in changed:
        shutil.rmtree(folder / run.name)


def _job(folder: Path, run: Planned, state: str, threads: int) -> Job:
    from fxpsim.cli.processes import Job

    target = folder / run.name
    options = ["--threads", str(threads), "--progress", "line"]
    if state == "begun":
        arguments = ["resume", str(target), *options]
    else:
        if (target / "recipe.toml").is_file():  # killed before its first checkpoint
            shutil.rmtree(target)
        changes = [part for override in run.overrides for part in ("--set", override)]
        arguments = ["run", run.recipe, *changes, "--seed", str(run.seed), "--out", str(target), *options]
        arguments += ["--data-dir", str(run.data_dir)] if run.data_dir is not None else []
    return Job(name=run.name, arguments=tuple(arguments), log=folder / "logs" / f"{run.name}.log")


def _write(
    study: Study,
    folder: Path,
    planned: list[Planned],
    failed: dict[str, int],
    command: str,
    gemm_times: Sequence[Path],
) -> None:
    """Write tables and pages of all runs that are done."""
    from fxpsim.report import StudyRun, write_study

    done = [run for run in planned if _state(folder / run.name, run) == "done"]
    runs = [
        StudyRun(
            path=folder / run.name,
            recipe=run.resolved.recipe.name,
            method=run.resolved.method.name,
            variant=run.variant,
            seed=run.seed,
        )
        for run in done
    ]
    missing = {run.name: "failed" if run.name in failed else "not done" for run in planned if run not in done}
    if not runs:
        typer.echo("no run is done yet: no tables")
        return
    page = write_study(
        runs,
        folder,
        name=study.name,
        description=study.description,
        notes=study.notes,
        command=command,
        accelerators=list(study.accelerators) or None,
        reference=study.reference,
        missing=missing,
        published=[(row.label, row.source, row.values) for row in study.published],
        gemm_times=gemm_times,
    )
    typer.echo(f"{len(runs)} of {len(planned)} runs in {page}")


def _command(study: str, jobs: int, threads: int | None, data_dir: Path | None) -> str:
    """Return the command that makes the study, without the places of this machine."""
    name = Path(study).name if study.endswith(".toml") else study
    options = ["--data-dir DIR"] if data_dir is not None else []
    options += [f"--jobs {jobs}"] if jobs > 1 else []
    options += [f"--threads {threads}"] if threads else []
    return " ".join(["fxpsim sweep", name, *options])


def _publish(folder: Path, study: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in ("README.md", "table.csv", "runs.csv"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
    if study.resolve() != (target / "study.toml").resolve():
        shutil.copyfile(study, target / "study.toml")
    typer.echo(f"published in {target}")
