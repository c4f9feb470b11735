"""``fxpsim variance``: one command that measures, writes tables, figures and a page."""

import csv

import pytest
from typer.testing import CliRunner

from fxpsim.cli.app import app
from fxpsim.errors import UserError

RECIPE = "lenet5-digits-statquant-psq"


def run(*arguments):
    return CliRunner().invoke(app, ["variance", *map(str, arguments), "--progress", "off"], catch_exceptions=False)


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_recipe_is_trained_and_measured(tmp_path):
    done = run(RECIPE, "--steps", 6, "--bits", "8,4", "--draws", 2, "--gradients", 2, "--out", tmp_path / "v")
    assert done.exit_code == 0
    rows = rows_of(tmp_path / "v" / "variance.csv")
    assert {row["layer"] for row in rows} == {"conv1", "conv2", "fc1", "fc2", "fc3"}
    assert {row["word_bits"] for row in rows} == {"8", "4"}
    assert all(float(row["variance"]) <= float(row["bound"]) for row in rows)
    summary = {(row["method"], row["word_bits"]): row for row in rows_of(tmp_path / "v" / "by_bits.csv")}
    assert 3.3 < float(summary["BHQ", "4"]["per_bit"]) < 4.8
    shares = [float(summary[m, "4"]["variance_share"]) for m in ("PTQ, zero not aligned", "PSQ", "BHQ")]
    assert shares == sorted(shares, reverse=True)
    assert len(rows_of(tmp_path / "v" / "gradients.csv")) == 5
    page = (tmp_path / "v" / "README.md").read_text(encoding="utf-8")
    assert f"fxpsim variance {RECIPE} --steps 6" in page
    assert "BHQ" in (tmp_path / "v" / "bits.svg").read_text(encoding="utf-8")
    again = run(RECIPE, "--steps", 6, "--bits", "8,4", "--draws", 2, "--gradients", 2, "--out", tmp_path / "w")
    assert again.exit_code == 0
    for name in ("variance.csv", "gradients.csv", "bits.svg", "README.md"):
        assert (tmp_path / "w" / name).read_bytes() == (tmp_path / "v" / name).read_bytes()


def test_a_run_is_measured_as_it_stands(tmp_path):
    CliRunner().invoke(app, ["run", RECIPE, "--steps", "6", "--out", str(tmp_path / "run")], catch_exceptions=False)
    digest = (tmp_path / "run" / "summary.json").read_text(encoding="utf-8")
    assert run(tmp_path / "run", "--bits", "5", "--draws", 1, "--out", tmp_path / "of_run").exit_code == 0
    assert run(RECIPE, "--steps", 6, "--bits", "5", "--draws", 1, "--out", tmp_path / "of_recipe").exit_code == 0
    tables = [(tmp_path / name / "variance.csv").read_bytes() for name in ("of_run", "of_recipe")]
    assert tables[0] == tables[1]
    assert (tmp_path / "run" / "summary.json").read_text(encoding="utf-8") == digest
    with pytest.raises(UserError, match="a run is what it is"):
        run(tmp_path / "run", "--set", "batch=8", "--out", tmp_path / "no")


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--bits", "8,x"], "word lengths"), (["--gradients", "1"], "at least 2 batches")]
)
def test_mistakes(arguments, message, tmp_path):
    with pytest.raises(UserError, match=message):
        run(RECIPE, *arguments, "--out", tmp_path)
