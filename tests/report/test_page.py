"""The page of one run: self-contained, valid, and saying what the run directory says."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from fxpsim.cost import baseline_history, price
from fxpsim.errors import UserError
from fxpsim.records import read_table
from fxpsim.report import read_run, write_report
from fxpsim.report.bits import stream_histories
from fxpsim.report.numbers import percent, ratio, scaled
from fxpsim.report.story import arithmetic
from fxpsim.report.write import priced_by
from fxpsim.shipped import find

VOID = {"meta", "br", "hr", "img", "input", "link", "path", "rect", "use", "line", "circle"}
ACCELERATOR = "int8_systolic_32x32"


class Checker(HTMLParser):
    """Collects what a browser would fetch, text, and tags that do not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.fetched, self.ids, self.text = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "data", "xlink:href", "poster", "srcset"):
                self.fetched.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def checked(path):
    html = path.read_text("utf-8")
    checker = Checker()
    checker.feed(html)
    assert checker.wrong == []
    assert checker.open == []
    assert [link for link in checker.fetched if not link.startswith("#")] == []
    assert not re.search(r"@import|url\((?!#)|<script|<link|<iframe", html)
    return " ".join(" ".join(checker.text).split())


def test_says_what_the_run_says(make_run):
    run = make_run("growing-run", method="growing", accuracy=0.9633)
    out = write_report([run])
    assert out == run / "report.html"
    text = checked(out)
    for said in ("growing-run", "96.33 %", "lenet5", "digits", "8 epochs", "int8_systolic_32x32", "ab" * 32, "14.2 s"):
        assert said in text, said
    for section in ("Did it learn?", "Bits of each layer", "Saturation and underflow", "What would it cost?"):
        assert section in text
    assert "What is not counted" in text
    assert "Constants and their sources" in text
    assert "underflow" in text


def test_lines_of_mean_bits_only_where_bits_change(make_run):
    assert "Mean word bits of each stream" in checked(write_report([make_run("moving", method="growing")]))
    assert "Mean word bits of each stream" not in checked(write_report([make_run("static")]))


def test_numbers_are_those_of_the_cost_model(make_run):
    run = make_run("r", method="growing")
    text = checked(write_report([run], accelerators=[ACCELERATOR]))
    work, vector = read_table(run / "workload.parquet"), read_table(run / "vector_workload.parquet")
    ours = price(work, read_table(run / "history.parquet"), ACCELERATOR, vector_workload=vector)
    base = price(work, baseline_history(work, word_bits=32, steps=400), ACCELERATOR, vector_workload=vector)
    assert f"{ratio(base.totals['seconds'] / ours.totals['seconds'])}" in text
    assert percent(ours.totals["energy_pj"] / base.totals["energy_pj"]) in text
    assert scaled(ours.totals["energy_pj"] * 1e-12, "J") in text
    assert scaled(ours.totals["bit_ops"]) in text
    assert scaled(ours.totals["dram_read_bits"], "bit") in text
    for line in (*ours.assumptions, *ours.not_counted):
        assert " ".join(line.split()) in text
    for constant in ours.constants:
        assert constant.key in text


def test_accelerators_are_those_of_the_recipe_or_those_asked_for(make_run):
    run = make_run("r")
    cards = lambda path: re.findall(r'<section class="card">\s*<h3>(.*?)</h3>', path.read_text("utf-8"))  # noqa: E731
    assert cards(write_report([run])) == ["int8_systolic_32x32", "int8_all_integer"]
    assert cards(write_report([run], accelerators=["int8_all_integer"])) == ["int8_all_integer"]
    assert cards(write_report([run], accelerators=[])) == []


def test_a_float_run_is_told_apart(make_run):
    text = checked(write_report([make_run("r", method="float32")]))
    assert "everything in float32" in text
    assert "not bit-exact" in text
    assert "Nothing was counted" in text


def test_the_same_run_gives_the_same_file(make_run):
    run = make_run("r", method="growing")
    first = write_report([run]).read_bytes()
    assert write_report([run]).read_bytes() == first


def test_names_cannot_inject_markup(make_run):
    run = make_run("r")
    recipe = (run / "recipe.toml").read_text("utf-8").replace('"lenet5"', '"<script>alert(1)</script>"')
    (run / "recipe.toml").write_text(recipe, "utf-8")
    checked(write_report([run]))


def test_colors_follow_the_theme(make_run):
    html = write_report([make_run("r")]).read_text("utf-8")
    assert "prefers-color-scheme: dark" in html
    figures = "".join(re.findall(r"<figure>.*?</figure>", html, re.DOTALL))
    assert "var(--series-1)" in figures
    assert not re.search(r"(stroke|fill): ?#(?!f{6}|0{6})", figures), "a fixed color would not change with the theme"


def test_comparison(make_run, tmp_path):
    runs = [make_run("quick", method="growing", accuracy=0.9633), make_run("exact", method="float32", accuracy=0.9746)]
    out = write_report(runs, tmp_path / "all.html", accelerators=[ACCELERATOR])
    assert out.read_text("utf-8").count(">−1.13</td>") == 1
    text = checked(out)
    for said in ("quick", "exact", "96.33 %", "97.46 %", "−1.13", "growing", "Accuracy and energy"):
        assert said in text, said


def test_comparison_without_one_float_run_compares_no_accuracies(make_run, tmp_path):
    runs = [make_run("a", accuracy=0.97), make_run("b", method="growing", accuracy=0.96)]
    text = checked(write_report(runs, tmp_path / "all.html", accelerators=[ACCELERATOR]))
    assert "no single float32 run" in text
    assert text.count("−1.00") == 1, "against the 8-bit run only"


def test_each_recipe_has_its_own_float_run(make_run, tmp_path):
    runs = []
    for name, accuracy in (("first", 0.9), ("second", 0.8)):
        for method, lost in (("float32", 0.0), ("growing", 0.025)):
            run = make_run(f"{name}-{method}", method=method, accuracy=accuracy - lost)
            file = run / "recipe.toml"
            file.write_text(file.read_text().replace('name = "lenet5-digits"', f'name = "{name}"'))
            runs.append(run)
    text = checked(write_report(runs, tmp_path / "all.html", accelerators=[ACCELERATOR]))
    assert text.count("−2.50") == 2
    assert "no single float32 run" not in text


def test_different_recipes_are_pointed_out(make_run, tmp_path):
    runs = [make_run("a"), make_run("b")]
    (runs[1] / "recipe.toml").write_text((runs[1] / "recipe.toml").read_text().replace("digits", "mnist"), "utf-8")
    assert "compare totals with care" in checked(write_report(runs, tmp_path / "all.html"))


@pytest.mark.parametrize(
    "name", ["summary.json", "metrics.jsonl", "history.parquet", "workload.parquet", "recipe.toml"]
)
def test_missing_file(make_run, name):
    run = make_run("r")
    (run / name).unlink()
    with pytest.raises(UserError, match=name) as caught:
        write_report([run])
    assert "resume" in caught.value.remedy
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    "name", ["summary.json", "metrics.jsonl", "history.parquet", "recipe.toml", "environment.json"]
)
def test_damaged_file(make_run, name):
    run = make_run("r")
    (run / name).write_text("{{{\n", "utf-8")
    with pytest.raises(UserError) as caught:
        write_report([run])
    assert str(run / name) in caught.value.where


def test_a_last_line_cut_off_by_a_kill_is_left_out(make_run):
    run = make_run("r")
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"event": "train", "st')
    checked(write_report([run]))


def test_optional_files(make_run):
    run = make_run("r")
    (run / "environment.json").unlink()
    (run / "vector_workload.parquet").unlink()
    summary = json.loads((run / "summary.json").read_text())
    del summary["test_accuracy"]
    (run / "summary.json").write_text(json.dumps(summary))
    assert "without a test accuracy" in checked(write_report([run]))


def test_wrong_arguments(make_run, tmp_path):
    for runs, out in (([], None), ([tmp_path, tmp_path], None), ([tmp_path / "nothing"], None)):
        with pytest.raises(UserError):
            write_report(runs, out)
    with pytest.raises(UserError, match="int8_systolic_32x32"):
        write_report([make_run("r")], accelerators=["int8_systolic_32x33"])


def test_importing_loads_neither_pandas_nor_matplotlib():
    code = "import sys, fxpsim.report; print({'pandas', 'matplotlib', 'jinja2', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_parts_are_named_by_the_files_of_the_run(make_run):
    run = make_run("r", method="growing")
    (run / "inputs").mkdir()
    (run / "inputs/method.toml").write_text('name = "my-method"\n', "utf-8")
    shipped = find("accelerators", "int8_all_integer").read_text("utf-8")
    (run / "inputs/accelerator.toml").write_text(shipped.replace('name = "int8_all_integer"', 'name = "mine"'), "utf-8")
    recipe = (run / "recipe.toml").read_text("utf-8").replace('"growing"', '"inputs/method.toml"')
    recipe = recipe.replace('accelerator = "int8_systolic_32x32"', 'accelerator = "inputs/accelerator.toml"')
    (run / "recipe.toml").write_text(recipe.replace('"lenet5"', '"inputs/lenet5.py"'), "utf-8")
    text = checked(write_report([run]))
    assert "Network lenet5" in text
    assert "Method my-method" in text
    assert "Accelerator mine" in text
    assert list(priced_by(read_run(run))) == ["mine", "int8_systolic_32x32", "int8_all_integer"]


def test_the_story_tells_float_streams_from_codes(make_run):
    run = read_run(make_run("r"))
    rows = run.history.assign(stream=run.history["stream"].astype(str))
    gradient = rows["stream"] == "gradient"
    rows.loc[gradient, "word_bits"] = 32
    rows.loc[gradient, "frac_bits"] = None
    found = stream_histories(rows, run.workload)
    assert arithmetic(found) == "8-bit weights, activations and errors, float32 gradients"
