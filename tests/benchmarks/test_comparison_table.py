"""The table of `benchmarks/against_opensim.py`: ratios, errors, and the mark of a missed target."""

import io

import rich.console
from opensim_comparison.compare import Entry
from opensim_comparison.table import Target, comparison_table

ERRORS = {
    "constant 0.05": [1e-4, 2e-3],
    "constant 0.5": [2e-4, 1e-3],
    "sinusoidal": [3e-4, 6e-3],
    "zero": [4e-4, 5e-4],
    "random 0": [1e-3, 2e-3],
}
BASELINE = [50.0, 40.0, 60.0]
OPENSIM = Entry("OpenSim", 2, 2, accuracy=5e-5, rates=BASELINE, errors=ERRORS, baseline=BASELINE)
OURS = Entry(
    "ours",
    8,
    2,
    "default",
    compile_seconds=12.3,
    rates=[9e3, 7e3, 7.5e3],
    errors=ERRORS,
    baseline=BASELINE,
)


def printed(*arguments):
    console = rich.console.Console(width=200, file=io.StringIO())
    console.print(comparison_table("title", *arguments))
    return console.file.getvalue()


def rows(text):
    """The cells of each line with an error in it."""
    return [line.split() for line in text.splitlines() if "e-" in line]


def test_rates_are_medians_and_ratios_those_of_medians():
    assert (OURS.rate, OURS.times_opensim) == (7500.0, 150.0)
    assert Entry("without OpenSim", 1, 1, rates=[3.0]).times_opensim is None


def test_there_is_a_row_per_entry_and_a_line_per_time():
    assert rows(printed([OPENSIM, OURS])) == [
        "OpenSim 50 25 1.0 0.1 2.0e-4 3.0e-4 1.0e-3 1.0e-3 4.0e-4".split(),
        "0.5 2.0e-3 6.0e-3 2.0e-3 2.0e-3 5.0e-4".split(),
        "ours 7,500 3,750 150 12.3 0.1 2.0e-4 3.0e-4 1.0e-3 1.0e-3 4.0e-4".split(),
        "0.5 2.0e-3 6.0e-3 2.0e-3 2.0e-3 5.0e-4".split(),
    ]


def test_targets_are_printed_beside_the_figures_and_a_missed_one_is_marked():
    met = Target(150, 20, {"constant": 2e-3, "sine": 1e-2})
    text = printed([OURS], {"ours": met})
    assert "!" not in text
    assert all(said in text for said in ("150 ≥ 150", "12.3 ≤ 20", "2.0e-3 ≤ 2e-3"))
    missed = Target(151, 12, {"constant": 1e-3, "sine": 5e-3})
    text = printed([OURS], {"ours": missed})
    assert text.count("!") == 4
    assert all(
        said in text
        for said in ("150 < 151 !", "12.3 > 12 !", "2.0e-3 > 1e-3 !", "6.0e-3 > 5e-3 !")
    )


def test_without_opensim_there_are_neither_ratios_nor_errors():
    text = printed([Entry("ours", 8, 2, "default", compile_seconds=1.0, rates=[8.0])])
    assert "zero" not in text
    assert text.splitlines()[-2].split() == ["ours", "8", "4", "1.0"]


def test_beside_xla_there_is_a_column_of_ratios_to_the_same_by_xla():
    def entry(label, kernel, rate):
        name = f"jaxosim default, 8 worlds, {label}"
        return Entry(name, 8, 2, "default", kernel, compile_seconds=1.0, rates=[rate])

    text = printed([entry("fused", "fused", 90.0), entry("XLA", "xla", 10.0)])
    fast, slow = (line.split() for line in text.splitlines() if "worlds" in line)
    assert fast[-4:] == ["90", "45", "9.0", "1.0"] and slow[-4:] == ["10", "5", "1.0", "1.0"]
    assert "OpenSim  XLA" in text
