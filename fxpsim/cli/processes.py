"""Several commands at a time, each in a process of its own; an interruption reaches all of them once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = (sys.executable, "-c", "from fxpsim.cli import main; main()")
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command of ours: its arguments, and the file that its output is added to."""

    name: str
    arguments: tuple[str, ...]
    log: Path


def execute(jobs: Sequence[Job], *, at_once: int, ended: Callable[[Job, int], None]) -> None:
    """Run all jobs, ``at_once`` at a time; tell ``ended`` each one's exit status.

    A job that fails does not stop the others. On Ctrl-C every running job gets one interrupt, on which a training
    run saves itself, and is waited for; then `KeyboardInterrupt` goes on.
    """
    waiting, running = deque(jobs), {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.popleft()
                running[_start(job)] = job
            for process in [one for one in running if one.poll() is not None]:
                ended(running.pop(process), process.returncode)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process, job in running.items():
            ended(job, process.wait())
        raise


def _start(job: Job) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        # a session of its own: the terminal's Ctrl-C would reach it a second time, and the second one is final
        return subprocess.Popen(
            [*PROGRAM, *job.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
