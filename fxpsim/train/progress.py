"""Progress for a person: one updating line on a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Protocol

from fxpsim.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a run is."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    mean_word_bits: float
    steps_per_s: float


class Progress(Protocol):
    """Hears of steps and epochs."""

    def step(self, status: Status) -> None:
        """One step is done."""
        ...

    def epoch(self, status: Status, **tested: float) -> None:
        """One epoch is done and evaluated; ``tested`` has ``test_loss``, ``test_accuracy`` and the task's metrics."""
        ...

    def close(self) -> None:
        """The run has ended."""
        ...


class Off:
    """Says nothing."""

    def step(self, status: Status) -> None:
        """Say nothing."""

    def epoch(self, status: Status, **tested: float) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class Lines(Off):
    """One line an epoch: for logs."""

    def epoch(self, status: Status, **tested: float) -> None:
        """Print the epoch's line."""
        print(_epoch_line(status, tested), flush=True)


class Live(Off):
    """One line that is rewritten in place, and a line that stays for each epoch."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive
        from rich.text import Text

        self.console, self.text = Console(), Text
        self.live = RichLive("", console=self.console, refresh_per_second=8, transient=True)
        self.live.start()
        self.shown = 0.0

    def step(self, status: Status) -> None:
        """Rewrite the line, at most ten times a second."""
        now = time.monotonic()
        if now - self.shown > 0.1:
            self.shown = now
            left = (status.steps - status.step) / max(status.steps_per_s, 1e-9)
            line = (
                f"epoch {status.epoch}/{status.epochs} step {status.step}/{status.steps} loss {status.loss:.4f} "
                f"acc {status.accuracy:.4f} {status.mean_word_bits:.1f} bits {status.steps_per_s:.1f} steps/s "
                f"{left:.0f} s left"
            )
            self.live.update(self.text(line, no_wrap=True, overflow="ellipsis"))

    def epoch(self, status: Status, **tested: float) -> None:
        """Print the epoch's line above the moving one."""
        self.console.print(_epoch_line(status, tested), highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the moving line."""
        self.live.stop()


def _epoch_line(status: Status, tested: dict[str, float]) -> str:
    measured = "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in tested.items())
    return (
        f"epoch {status.epoch:>3}/{status.epochs}  step {status.step:>6}  loss {status.loss:.4f}  "
        f"accuracy {status.accuracy:.4f}  {measured}  "
        f"bits {status.mean_word_bits:.1f}  {status.steps_per_s:.1f} steps/s"
    )


def make_progress(kind: str) -> Progress:
    """Return the progress display: ``auto`` (by whether standard output is a terminal), ``live``, ``line``, ``off``."""
    match kind:
        case "auto":
            return Live() if sys.stdout.isatty() else Lines()
        case "live":
            return Live()
        case "line":
            return Lines()
        case "off":
            return Off()
        case _:
            raise UserError(
                f"--progress {kind}",
                where="command line",
                expected="auto, live, line or off",
                remedy="choose one of them",
            )
