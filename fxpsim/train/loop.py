"""The training loop: epochs, evaluation, metrics, checkpoints, interruption."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from fxpsim import data
from fxpsim.data import Dataset, batch_count, batches
from fxpsim.records import HistoryRecorder
from fxpsim.train import checkpoint
from fxpsim.train.directory import RunDirectory, write_json
from fxpsim.train.progress import Progress, Status
from fxpsim.train.recipe import DataTable, ResolvedRecipe
from fxpsim.train.risk import overflow_risks
from fxpsim.train.session import Session, exact_total

METRIC_LINES_PER_EPOCH = 10


class Interrupted(Exception):
    """The user stopped the run; it was saved."""


def load_data(table: DataTable) -> Dataset:
    """Load a recipe's data set."""
    return data.load(table.name, table.dir, **table.options)


class Trainer:
    """Runs a session to its end, or to a number of steps.

    Parameters
    ----------
    resolved : ResolvedRecipe
        The recipe.
    directory : RunDirectory, optional
        Where to leave metrics, tables and checkpoints; None leaves nothing.
    stop_after : int, optional
        End after so many steps of the run; the schedule stays that of the whole recipe.
    """

    def __init__(
        self, resolved: ResolvedRecipe, directory: RunDirectory | None, *, stop_after: int | None = None
    ) -> None:
        self.recipe, self.accelerator, self.directory = resolved.recipe, resolved.accelerator, directory
        self.dataset = load_data(self.recipe.data)
        batch_size = min(self.recipe.batch, len(self.dataset.train))
        self.batch_size = batch_size
        self.per_epoch = batch_count(self.dataset.train, batch=batch_size, drop_last=True)
        self.steps = self.per_epoch * self.recipe.epochs
        self.last = self.steps if stop_after is None else min(stop_after, self.steps)
        self.session = Session(resolved, self.dataset, steps=self.steps)
        self.done = 0
        self.wall_s = 0.0
        self.evaluation: dict[str, float] = {}
        self.train_loss: float | None = None
        self._sums = [0.0, 0, 0]  # loss, samples, right answers of the epoch so far
        self._exact_loss = Fraction(0)  # the same loss for the schedule, where every bit counts
        self._saved_at = time.monotonic()

    # --- the run

    def run(self, progress: Progress) -> dict[str, Any]:
        """Train, evaluate after every epoch, save; return the summary.

        Raises
        ------
        Interrupted
            If the user pressed Ctrl-C; a checkpoint has been written.
        """
        self.advance(progress)
        return self.finish()

    def advance(self, progress: Progress) -> None:
        """Train up to the last step; see :meth:`run`."""
        started = time.monotonic() - self.wall_s
        if self.done == 0:
            self.save()  # so that a run can be resumed from its very first step on
        with _interruption() as stop:
            while self.done < self.last:
                epoch = self.done // self.per_epoch
                for inputs, targets in self._batches(epoch):
                    self._step(inputs, targets, progress, started)
                    if stop[0] or self.done >= self.last:
                        break
                    self._save_by_time()
                self.wall_s = time.monotonic() - started
                if stop[0]:
                    self.save()
                    raise Interrupted
                self._end_epoch(progress)
        self.wall_s = time.monotonic() - started

    def _batches(self, epoch: int) -> Iterator[Any]:
        return batches(
            self.dataset.train,
            batch=self.batch_size,
            seed=self.recipe.seed,
            epoch=epoch,
            shuffle=True,
            drop_last=True,
            augment=self.recipe.data.augment,
            start=self.done - epoch * self.per_epoch,
        )

    def _step(self, inputs: Any, targets: Any, progress: Progress, started: float) -> None:
        result = self.session.step(self.done, inputs, targets)
        self.done += 1
        self._sums[0] += result.loss * result.samples
        self._sums[1] += result.samples
        self._sums[2] += result.correct
        if self.session.schedule_state:
            self._exact_loss += exact_total(result.total)
        self.wall_s = time.monotonic() - started
        decisions = self.session.precision.take_decisions()
        if decisions and self.directory is not None:
            self.directory.append_decisions(decisions)
        status = self._status()
        progress.step(status)
        every = max(1, self.per_epoch // METRIC_LINES_PER_EPOCH)
        if self.directory is not None and (self.done % every == 0 or self.done == self.last):
            line = {"event": "train", "step": self.done, "epoch": self.done / self.per_epoch, "loss": result.loss}
            line |= {"accuracy": result.accuracy, "mean_word_bits": status.mean_word_bits}
            self.directory.append_metrics(line | {"steps_per_s": status.steps_per_s})

    def _status(self) -> Status:
        loss, samples, correct = self._sums
        return Status(
            step=self.done,
            steps=self.last,
            epoch=-(-self.done // self.per_epoch),
            epochs=-(-self.last // self.per_epoch),
            loss=loss / samples if samples else float("nan"),
            accuracy=correct / samples if samples else float("nan"),
            mean_word_bits=self.session.precision.mean_word_bits(),
            steps_per_s=self.done / max(self.wall_s, 1e-9),
        )

    def _end_epoch(self, progress: Progress) -> None:
        status = self._status()
        self.train_loss = status.loss
        tested = self.session.evaluate(self.dataset.test)
        self.evaluation = {"test_loss": tested.loss, "test_accuracy": tested.accuracy}
        self.evaluation |= {f"test_{name}": value for name, value in tested.metrics.items()}
        progress.epoch(status, **self.evaluation)
        if self.directory is not None:
            epoch = self.done / self.per_epoch
            self.directory.append_metrics({"event": "eval", "step": self.done, "epoch": epoch, **self.evaluation})
        if self.done % self.per_epoch == 0:
            self.session.observe_epoch(self._exact_loss / self._sums[1])
            self._sums, self._exact_loss = [0.0, 0, 0], Fraction(0)
            self.session.precision.history.cut(self.done)
            self.session.accumulations.cut(self.done)
            if (self.done // self.per_epoch) % self.recipe.checkpoint.every_epochs == 0:
                self.save()

    # --- saving

    def _save_by_time(self) -> None:
        if time.monotonic() - self._saved_at >= 60 * self.recipe.checkpoint.every_minutes > 0:
            self.save()

    def save(self) -> None:
        """Write a checkpoint."""
        self._saved_at = time.monotonic()
        if self.directory is None:
            return
        precision = self.session.precision
        counter = self.session.counter
        state = {
            "step": self.done,
            "wall_s": self.wall_s,
            "sums": self._sums,
            "exact_loss": str(self._exact_loss),
            "train_loss": self.train_loss,
            "evaluation": self.evaluation,
            "policy": precision.saved(),
            "schedule": self.session.schedule_state,
            "history": precision.history.state(),
            "accumulations": self.session.accumulations.state(),
            "gemms": counter.gemms if counter else [],
            "vectors": counter.vectors if counter else [],
            "overflowed": self.session.engine.mac.overflowed,
            "sizes": self.directory.sizes(),
            "stop_after": self.last,
            "digest": self.session.digest(),
        }
        checkpoint.save(self.directory.path / "checkpoint", self.session.arrays(), state)

    def restore(self) -> None:
        """Go back to the latest checkpoint of the directory."""
        assert self.directory is not None
        arrays, state = checkpoint.load(self.directory.path / "checkpoint")
        self.session.load_arrays(arrays)
        self.session.restore(state)
        self.session.precision.history = HistoryRecorder.from_state(state["history"])
        self.done, self.wall_s, self._sums = state["step"], state["wall_s"], state["sums"]
        self._exact_loss = Fraction(state.get("exact_loss", 0))
        self.train_loss, self.evaluation = state["train_loss"], state["evaluation"]
        self.last = state["stop_after"]
        self.directory.truncate(state["sizes"])

    def finish(self) -> dict[str, Any]:
        """Write tables and summary; return the summary."""
        session = self.session
        summary = {
            "name": self.recipe.name,
            "digest": session.digest(),
            "bit_exact": not session.inexact,
            "bit_exact_note": f"no ({session.inexact})" if session.inexact else "yes",
            "all_integer": session.all_integer,
            "steps": self.done,
            "epochs": self.done / self.per_epoch,
            "train_loss": self.train_loss,
            **self.evaluation,
            "mean_word_bits": session.precision.mean_word_bits(),
            "width_shares": session.precision.width_shares(),
            "accumulator_overflows": session.engine.mac.overflowed,
            "may_overflow": overflow_risks(
                self.accelerator, session.precision, session.counter.gemms if session.counter else []
            ),
            "wall_s": self.wall_s,
        }
        if self.directory is not None:
            counter = session.counter
            assert counter is not None
            vectors = counter.vectors + session.precision.work_rows(self.done)
            self.directory.write_tables(
                session.precision.history.rows(), counter.gemms, vectors, session.accumulations.rows()
            )
            write_json(self.directory.summary_path, summary)
            self.save()
        return summary


def resume(path: Path) -> Trainer:
    """Return the trainer of a run that was interrupted, at its latest checkpoint."""
    directory = RunDirectory.open(path)
    trainer = Trainer(directory.recipe(), directory)
    trainer.restore()
    return trainer


@contextmanager
def _interruption() -> Iterator[list[bool]]:
    """Turn Ctrl-C into a flag inside the block, so that a step is never cut in two; a second one is final."""
    stop = [False]

    def handler(number: int, frame: Any) -> None:
        if stop[0]:
            raise KeyboardInterrupt
        stop[0] = True

    try:
        before = signal.signal(signal.SIGINT, handler)
    except ValueError:  # not in the main thread: nobody presses Ctrl-C here
        yield stop
        return
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
