"""What the accumulators did is recorded by layer and pass: against NumPy, over a stop, and on the page."""

import numpy as np
import pandas as pd
import pytest

from fxpsim.data import load
from fxpsim.report.rundir import read_run
from fxpsim.report.single import run_page
from fxpsim.train import RunDirectory, Session, Trainer, load_recipe, make_progress, resume

TABLE = "accelerator.mac_array.accumulator."
NARROW = [
    "accelerator=int8_all_integer",
    "network=mlp",
    "network_options.hidden=[12]",
    f"{TABLE}word_bits=14",
    f"{TABLE}overflow=saturate",
    f"{TABLE}product_drop_bits=3",
    f"{TABLE}rounding=half_even",
]


@pytest.fixture(scope="module")
def data():
    return load("digits")


def test_the_counts_are_those_of_plain_products(data):
    session = Session(load_recipe("lenet5-digits", overrides=NARROW), data, steps=3)
    run, engine, want = session.engine.mac.run, session.engine, {}

    def counted(operation, a, b, **attributes):
        left = a.codes.astype(np.int64).T if attributes.get("transpose_a") else a.codes.astype(np.int64)
        right = b.codes.astype(np.int64).T if attributes.get("transpose_b") else b.codes.astype(np.int64)
        products = left[:, :, None] * right[None]
        rounded = np.rint(products / 8).astype(np.int64)  # exact: halves go to even
        total, outside = np.zeros((len(left), right.shape[1]), np.int64), 0
        for part in rounded.transpose(1, 0, 2):
            total += part
            outside += int(((total < -8192) | (total > 8191)).sum())
            total = total.clip(-8192, 8191)
        result = run(operation, a, b, **attributes)
        assert np.array_equal(result.codes, total)
        found = (total.size, products.size, outside, int(((rounded == 0) & (products != 0)).sum()))
        found += (int((products % 8 != 0).sum()),)
        before = want.get((engine.layer, engine.pass_), (0,) * 5)
        want[engine.layer, engine.pass_] = tuple(x + y for x, y in zip(before, found, strict=True))
        return result

    session.engine.mac.run = counted
    for step in range(2):
        part = slice(32 * step, 32 * step + 32)
        session.step(step, data.train.inputs[part], data.train.targets[part])
    session.engine.mac.run = run
    session.evaluate(data.test)  # evaluations are not recorded
    names = ("sums", "products", "overflowed", "flushed", "inexact")
    rows = session.accumulations.rows()
    assert {(row["layer"], row["pass"]): tuple(row[name] for name in names) for row in rows} == want
    assert {(row["step_begin"], row["step_end"]) for row in rows} == {(0, 2)}
    assert all(sum(row[name] for row in rows) > 0 for name in names), "everything happened"


def test_a_stop_changes_nothing_and_the_page_tells(tmp_path):
    options = [*NARROW, "epochs=2", "data.options.train_limit=128", "data.options.test_limit=64", "batch=32"]

    def trained(name, stop_after=None):
        resolved = load_recipe("lenet5-digits", overrides=options)
        Trainer(resolved, RunDirectory.create(tmp_path / name, resolved), stop_after=stop_after).run(
            make_progress("off")
        )
        return tmp_path / name

    whole, part = trained("whole"), trained("part", 3)
    trainer = resume(part)
    trainer.last = 8
    trainer.run(make_progress("off"))
    tables = [pd.read_parquet(path / "accumulations.parquet") for path in (whole, part)]
    pd.testing.assert_frame_equal(*tables)
    assert sorted(set(zip(tables[0]["step_begin"], tables[0]["step_end"], strict=True))) == [(0, 4), (4, 8)]
    page = run_page(read_run(whole), [])
    assert "In the accumulators" in page
    (whole / "accumulations.parquet").unlink()
    assert "In the accumulators" not in run_page(read_run(whole), [])


def test_of_exact_sums_nothing_is_told(tmp_path):
    options = ["network=mlp", "epochs=1", "data.options.train_limit=64", "data.options.test_limit=64", "batch=32"]
    resolved = load_recipe("lenet5-digits", overrides=options)
    Trainer(resolved, RunDirectory.create(tmp_path / "run", resolved)).run(make_progress("off"))
    table = pd.read_parquet(tmp_path / "run" / "accumulations.parquet")
    assert (table[["overflowed", "flushed", "inexact"]] == 0).all(axis=None)
    assert (table["products"] > 0).all()
    assert "In the accumulators" not in run_page(read_run(tmp_path / "run"), [])
