"""What is told of the benchmarks: ratios within a round, and nothing that was not measured."""

from __future__ import annotations

from pathlib import Path

from tests.bench.report import BEGIN, END, README, listing, page, summary
from tests.bench.results import Results

ON = {"cores": "2", "system": "Linux", "python": "3.11", "node": "20"}


def measured() -> Results:
    results = Results(ON)
    for gateway, plain in ((90.0, 3.0), (40.0, 4.0), (8.0, 0.4)):
        results.note("list: answers/s", "gateway", gateway)
        results.note("list: answers/s", "strawberry", plain)
    return results


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    """What slows a whole round down changes none of its ratios: here they are 30, 10 and 20."""
    assert measured().ratio("list: answers/s", "gateway", "strawberry") == 20


def test_what_was_not_measured_has_no_line() -> None:
    """Neither a peer that did not run, nor a part, nor a column; an empty cell would look like
    nothing."""
    told = page(measured())

    assert "| gateway | 20 |" in told
    assert told.count("\n## ") == 1
    assert "mercurius" not in told + summary(measured()) + listing(measured())


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    """The parts of one run may be measured one by one."""
    file = tmp_path / "build" / "results.json"

    measured().save(file)

    assert Results.load(file) == measured()


def test_the_readme_has_a_place_for_them() -> None:
    """Without the marks the report would write nowhere."""
    begin, end = README.read_text().index(BEGIN), README.read_text().index(END)

    assert begin < end
