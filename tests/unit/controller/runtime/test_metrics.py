"""The controller's metrics: what it shows is what the reference page is made from."""

from __future__ import annotations

from prometheus_client import generate_latest

from support.tree import ROOT
from videojob.controller.runtime.metrics import MEASURES, ControllerMetrics

PAGE = ROOT / "docs" / "reference" / "metrics.md"


def test_what_is_shown_is_what_the_page_is_made_from() -> None:
    shown = generate_latest(ControllerMetrics().registry).decode().splitlines()
    helped = {line.split()[2]: line.split(maxsplit=3)[3] for line in shown if line.startswith("# HELP")}
    typed = {line.split()[2]: line.split()[3] for line in shown if line.startswith("# TYPE")}
    ours = {name: words for name, words in helped.items() if not name.endswith("_created")}
    assert ours == {one.name: one.meaning for one in MEASURES}
    assert {name: typed[name] for name in ours} == {one.name: one.type for one in MEASURES}


def test_every_metric_has_a_row_with_its_labels() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    found = [(row[0].strip("| `"), row[1], row[2]) for row in rows]
    labels = {one.name: ", ".join(f"`{label}`" for label in one.labels) or "-" for one in MEASURES}
    assert found == [(one.name, one.type, labels[one.name]) for one in MEASURES]


def test_names_say_their_unit_and_what_they_count() -> None:
    for one in MEASURES:
        assert one.name.startswith("videojob_")
        assert one.name.endswith("_total") == (one.type == "counter")
        assert one.name.endswith("_seconds") or one.type != "histogram"
        assert one.meaning.endswith(".")
