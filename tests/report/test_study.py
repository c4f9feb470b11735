"""The tables of a study, of synthetic runs: means over seeds, twins, the methods' own metrics beside published ones."""

import csv
import json

import pytest

from fxpsim.report import StudyRun, read_run, write_study
from fxpsim.report.markdown import Field, markdown_table

ACCELERATOR = "int8_systolic_32x32"


@pytest.fixture
def places(make_run):
    """A float32 run and an ADEPT run, two seeds each."""
    found = []
    for seed, offset in ((1, 0.0), (2, 0.02)):
        for method, accuracy in (("float32", 0.93), ("growing", 0.92)):
            run = make_run(f"{method}-{seed}", method=method, accuracy=accuracy - offset)
            if method == "growing":
                (run / "inputs").mkdir()
                (run / "inputs" / "method.toml").write_text('name = "adept"\n[policy]\nname = "adept"\n')
                line = {"step": 24, "layer": "fc1", "stream": "weight", "word_bits": 8, "frac_bits": 4}
                lines = [line | {"quantity": "lookback", "value": 25}, line | {"quantity": "resolution", "value": 50}]
                (run / "decisions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
            found.append(StudyRun(path=run, recipe="r", method="adept" if method == "growing" else method, seed=seed))
    return found


def table(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables(places, tmp_path):
    out = tmp_path / "study"
    page = write_study(
        places,
        out,
        name="a study",
        description="What it is.",
        notes="Why.",
        command="fxpsim sweep it",
        accelerators=[ACCELERATOR],
        missing={"another": "failed"},
        published=[("theirs", "a paper", {"adept_speedup_with_overhead": 1.42})],
    ).read_text("utf-8")
    runs, rows = table(out, "runs.csv"), table(out, "table.csv")
    assert [row["seed"] for row in runs] == ["1", "1", "2", "2"]
    assert [(row["method"], row["seeds"]) for row in rows] == [("float32", "2"), ("adept", "2")]
    assert float(rows[1]["test_accuracy"]) == pytest.approx(0.91)
    assert float(rows[1]["test_accuracy_spread"]) == pytest.approx(0.02)
    assert float(rows[1]["points_float32"]) == pytest.approx(-1)
    assert rows[0]["points_float32"] == ""
    assert float(rows[0]["mean_bits"]) == 32
    assert 1 < float(rows[1]["adept_speedup"]) < 2
    assert rows[0]["adept_speedup"] == "", "a float32 run has no such metric"
    assert float(rows[1]["error_share_8"]) > float(rows[1]["error_share_4"]) > 0
    for text in ("# a study", "What it is.", "Why.", "fxpsim sweep it", "- `another`: failed", "91.00 % ± 1.00"):
        assert text in page
    assert "| published | theirs |" in page or "| theirs |" in page
    assert "1.42 ×" in page
    assert "- theirs: a paper" in page
    assert "Share of layers and steps" in page
    html = (out / "comparison.html").read_text("utf-8")
    assert "float32-1" in html
    assert "float32-2" not in html, "one run of every configuration"


def test_speedup_to_the_accuracy_of_float32(places, tmp_path):
    evaluations = [line["test_accuracy"] for line in read_run(places[1].path).evaluations]
    summary = json.loads((places[0].path / "summary.json").read_text())
    summary["test_accuracy"] = evaluations[3]  # reached behind half of eight evaluations
    (places[0].path / "summary.json").write_text(json.dumps(summary))
    write_study(places[:2], tmp_path / "study", name="s", accelerators=[ACCELERATOR])
    own = table(tmp_path / "study", "table.csv")[1]
    assert float(own["adept_iso_speedup"]) == pytest.approx(2 * float(own["adept_speedup_with_overhead"]))


def test_a_study_has_a_reference_of_its_own(places, tmp_path):
    ideal = "dynasty_like mac_array.lockstep_blocks=1"
    theirs = [("theirs", "an abstract", {"dynasty_like.speedup_reference": 5.1})]
    page = write_study(
        places[:2], tmp_path, name="s", accelerators=["dynasty_like", ideal], reference="adept", published=theirs
    ).read_text("utf-8")
    base, own = table(tmp_path, "table.csv")
    assert float(base["points_reference"]) == pytest.approx(1)
    assert own["points_reference"] == ""
    for name in ("dynasty_like", "dynasty_like-lockstep_blocks-1"):
        faster = float(own[f"{name}.time_s"]) / float(base[f"{name}.time_s"])
        assert float(base[f"{name}.speedup_reference"]) == pytest.approx(faster)
        less = float(base[f"{name}.energy_j"]) / float(own[f"{name}.energy_j"])
        assert float(base[f"{name}.energy_ratio_reference"]) == pytest.approx(less)
    for text in ("than adept", "of adept's", "to adept", "5.1 ×", "- theirs: an abstract", "lockstep_blocks-1"):
        assert text in page
    assert "own metrics" in page
    _, _, own_metrics = page.partition("own metrics")
    assert "| theirs |" not in own_metrics, "a figure of one accelerator stands in the table of that accelerator"


def test_of_several_float32_runs_the_plain_one_is_the_baseline(make_run, tmp_path):
    places = [
        StudyRun(
            path=make_run(name, method="float32", accuracy=accuracy), recipe="r", method="float32", variant=variant
        )
        for name, variant, accuracy in (("plain", "", 0.93), ("other", "decay 0.1", 0.92), ("third", "decay 0.2", 0.9))
    ]
    page = write_study(places, tmp_path, name="s", accelerators=[ACCELERATOR]).read_text("utf-8")
    points = [row["points_float32"] for row in table(tmp_path, "table.csv")]
    assert points[0] == ""
    assert [round(float(point), 6) for point in points[1:]] == [-1, -3]
    assert "| to |" not in page.replace("  ", " "), "no column without a reference"


def test_columns_without_a_value_are_left_out():
    rows = [{"a": 1, "b": None}, {"a": None, "b": None}]
    lines = markdown_table([Field(title=key, key=key) for key in "ab"], rows).splitlines()
    assert lines == ["| a |", "|---|", "| 1 |", "| – |"]


def test_metrics_of_authors_belong_to_policies_that_there_are():
    from fxpsim.policies import policies
    from fxpsim.report.published import PREFIXES

    assert set(PREFIXES) <= set(policies)


def test_each_network_has_its_own_measured_gemms(make_run, tmp_path):
    run = make_run("apt", method="growing")
    (run / "inputs").mkdir()
    (run / "inputs" / "method.toml").write_text('name = "apt"\n[policy]\nname = "apt"\n')
    line = {"step": 24, "layer": "fc1", "stream": "error", "word_bits": 8, "frac_bits": 4}
    (run / "decisions.jsonl").write_text(json.dumps(line | {"quantity": "diff", "value": 0.01}) + "\n")
    layers = list(dict.fromkeys(read_run(run).workload["layer"].astype(str)))
    for name, measured in (("own", layers), ("other", ["elsewhere"])):
        seconds = {"int8_s": 1.0, "int16_s": 2.0, "float32_s": 3.0}
        passes = ("forward", "input_grad", "weight_grad")
        gemms = [{"layer": layer, "pass": of_pass, **seconds} for layer in measured for of_pass in passes]
        (tmp_path / f"{name}.json").write_text(json.dumps({"gemms": gemms}))
    own, other = tmp_path / "own.json", tmp_path / "other.json"
    for files, expected in (([other, own], "3.0"), ([own], "3.0"), ([other], None)):
        write_study([StudyRun(path=run, recipe="r", method="apt", seed=1)], tmp_path, name="toy", gemm_times=files)
        assert table(tmp_path, "table.csv")[0].get("apt_measured_speedup") == expected
