"""What the report says of a policy: lines, marks, driving quantities, widths, and the method's own metrics."""

import json

import pytest

from fxpsim.errors import UserError
from fxpsim.report import read_run, write_report
from fxpsim.report.bits import stream_histories
from fxpsim.report.decisions import decisions_section, marks
from fxpsim.report.published import own_metrics, published_table, width_table
from fxpsim.report.strips import BitScale, bit_panels

LAYERS = ("conv1", "conv2", "fc1", "fc2")


def decided(run, policy, quantities, *, stream="weight", epochs=range(1, 5)):
    """Let a policy have decided at the end of epochs (of 50 steps), when the words of ``growing`` change."""
    lines = [
        {"step": 50 * epoch - 1, "layer": layer, "stream": stream, "quantity": name, "value": value * epoch}
        | {"word_bits": 8, "frac_bits": 4}
        for epoch in epochs
        for layer in LAYERS
        for name, value in quantities.items()
    ]
    lines.append(
        {"step": 70, "layer": "", "stream": "", "quantity": "strategy: min to mean", "value": 2.5}
        | {"word_bits": None, "frac_bits": None}
    )
    (run / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run / "inputs").mkdir()
    (run / "inputs" / "method.toml").write_text(f'name = "m"\n[policy]\nname = "{policy}"\n')
    return run


@pytest.fixture
def adept(make_run):
    quantities = {"kl": 0.5, "diversity": 3.0, "lookback": 25, "resolution": 50}
    return read_run(decided(make_run("a", method="growing"), "adept", quantities))


def test_bits_of_layers_with_decisions_marked(adept):
    section = decisions_section(adept, stream_histories(adept.history, adept.workload))
    assert section is not None
    assert [figure.title for figure in section.bits] == ["Word bits: weight, activation, error"]
    (figure,) = section.bits
    assert [label for _, label in figure.legend] == list(LAYERS)
    assert "a decision changed it" in figure.caption
    assert [figure.title.partition(":")[0] for figure in section.drivers] == [
        "Distance of the weights' histograms",
        "Diversity of the gradients",
        "Length of the window",
        "Resolution",
    ]
    rows = [[cell.content for cell in row] for row in section.table.rows]
    # 4 to 8 bits in steps of one an epoch; the last layer is a bit ahead
    assert rows[0][:4] == ["conv1", "weight, activation, error", "4", "4"]
    assert rows[-1][:4] == ["fc2", "weight, activation, error", "4", "3"]
    assert rows[0][4] == "4"
    assert rows[0][-1] == "8"
    assert section.events is not None
    assert section.events.rows[0][1].content == "strategy: min to mean"


def test_strips_have_ticks_where_something_was_decided(adept):
    histories = stream_histories(adept.history, adept.workload)
    panels = bit_panels(histories, adept.steps, BitScale.of(histories), marks(adept.decisions))
    assert str(panels["weight"][0].cells).count('class="mark"') == 4
    assert "1 decided around step 49" in str(panels["weight"][0].cells)
    assert 'class="mark"' not in str(panels["gradient"][0].cells)


def test_the_page_shows_it(adept, tmp_path):
    page = write_report([adept.path], tmp_path / "page.html").read_text("utf-8")
    for text in (
        "What the policy decided",
        "From which quantities",
        "Share of layers and steps",
        "adept overhead share",
    ):
        assert text in page


def test_a_static_run_has_no_such_section(make_run, tmp_path):
    run = make_run("s", method="int8")
    assert decisions_section(read_run(run), []) is None
    assert "What the policy decided" not in write_report([run], tmp_path / "page.html").read_text("utf-8")


def test_many_layers_are_thinned_evenly(adept):
    lines = [
        {"step": step, "layer": f"l{layer}", "stream": "error", "quantity": "diff", "value": 1e-6 * (1 + 900 * step)}
        | {"word_bits": 8, "frac_bits": 4}
        for step in range(3)
        for layer in range(20)
    ]
    (adept.path / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    section = decisions_section(read_run(adept.path), stream_histories(adept.history, adept.workload))
    assert section is not None
    (figure,) = section.drivers
    labels = [label for _, label in figure.legend]
    assert (labels[0], labels[-1], len(labels)) == ("l0", "l19", 8)
    assert "8 of 20 layers" in figure.caption


def test_metrics_of_the_method(adept, make_run):
    names = [metric.name for metric in own_metrics(adept)]
    assert names[:4] == ["adept_speedup", "adept_inference_speedup", "adept_size", "adept_memory"]
    assert "adept_overhead_share" in names
    assert own_metrics(read_run(make_run("plain"))) == []
    assert published_table([]) is None
    marvin = read_run(decided(make_run("m", method="growing"), "marvin", {"kl": 1.0}))
    assert [metric.name for metric in own_metrics(marvin)] == ["marvin_speedup", "marvin_size"]


def test_a_cpus_measured_gemms_stand_beside_the_model(make_run, tmp_path):
    run = decided(make_run("apt", method="growing"), "apt", {"diff": 0.01}, stream="error")
    passes = ("forward", "input_grad", "weight_grad")
    seconds = {"int8_s": 1.0, "int16_s": 2.0, "float32_s": 3.0}
    gemms = [{"layer": layer, "pass": of_pass, **seconds} for layer in LAYERS for of_pass in passes]
    (tmp_path / "times.json").write_text(json.dumps({"gemms": gemms}))
    write_report([run], tmp_path / "page.html", gemm_times=tmp_path / "times.json")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "apt modeled speedup" in page
    assert "apt measured speedup" in page
    assert "3 ×" in page, "at most 8 bits everywhere: a third of the time"
    with pytest.raises(UserError, match="int_gemm_cpu"):
        write_report([run], tmp_path / "page.html", gemm_times=tmp_path / "none.json")


def test_widths(adept):
    table = width_table(adept)
    row = {row[0].content: [cell.content for cell in row[1:]] for row in table.rows}
    titles = [column.title for column in table.columns[1:]]
    assert titles == ["4", "5", "6", "7", "8"]
    assert row["gradient"] == ["–", "–", "–", "–", "100.0 %"]
    # of four layers one is a bit ahead: 3/4 of the first of eight epochs
    assert row["weight"][0] == "9.4 %"
