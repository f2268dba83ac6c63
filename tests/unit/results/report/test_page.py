"""The report is one page that needs nothing, says everything, and survives hostile names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from support.page import Page, read_page
from support.reports import (
    busy_segment,
    job,
    not_found,
    picture_bytes,
    report_data,
    run_facts,
)
from videojob.results.aggregate.merge import fold
from videojob.results.aggregate.segment_results import Gap, SegmentResult, Window
from videojob.results.aggregate.summary import VideoEntry, summarise
from videojob.results.report import PeakPicture, ReportData, choose_peaks, render_report
from videojob.results.report.tables import MAX_WINDOW_ROWS
from videojob.results.report.view import MAX_PROBLEMS, MAX_TIMELINES
from videojob.results.run_facts import VideoFacts
from videojob.results.words import DASH

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>]]>.mp4"


def text(page: Page, section: str) -> str:
    found = page.section(section)
    assert found is not None, f"no section {section}"
    return re.sub(r"\s+", " ", found.text)


def empty_data() -> ReportData:
    """A video in which nothing was seen."""
    description = job((VideoEntry("quiet.mp4", 20_000, 640, 360),))
    result = SegmentResult(0, 0, None, None, 500, 500, 0, (Window(0, 250, ()), Window(1, 250, ())))
    return ReportData(summarise(description, [result]), fold([result], 2000))


CASES: dict[str, Callable[[], ReportData]] = {
    "rich": report_data,
    "with problems": lambda: report_data(failed=(not_found(2, "gone.mp4"),), gaps=(Gap(0, 5000, "corrupt packets"),)),
    "hostile": lambda: report_data((HOSTILE, "b.mp4"), failed=(not_found(2, HOSTILE),), gaps=(Gap(0, 10, HOSTILE),)),
    "nothing seen": empty_data,
    "no record of the run": lambda: replace(report_data(), facts=None, pictures=()),
    "eight hours": lambda: report_data(minutes=480),
}


@pytest.fixture(params=CASES, scope="module")
def html(request: pytest.FixtureRequest) -> str:
    return render_report(CASES[request.param]())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return read_page(html)


def test_every_tag_is_closed_in_order(page: Page) -> None:
    assert [element.tag for element in page.elements[:2]] == ["html", "head"]
    assert len(page.all("h1")) == 1


def test_the_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "img"} & {e.tag for e in page.elements}
    for element in page.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"<{element.tag} {name}>"
            if name in {"src", "href", "srcset", "data", "action", "xlink:href"}:
                assert value.startswith("data:image/jpeg;base64,"), f"<{element.tag} {name}={value[:40]}>"
    (style,) = page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text
    policy = [element for element in page.all("meta") if element.attributes.get("http-equiv")]
    assert policy[0].attributes["content"].startswith("default-src 'none'")


def test_every_drawing_has_finite_numbers_inside_its_frame(page: Page) -> None:
    for element in page.all("rect"):
        place = {name: float(element.attributes[name]) for name in ("x", "y", "width", "height")}
        assert all(math.isfinite(value) and value >= 0 for value in place.values()), place
    for element in page.all("svg"):
        left, top, width, height = map(float, element.attributes["viewbox"].split())
        assert width > 0
        assert height > 0
        assert (left, top) >= (0, 0)


def test_bars_stay_inside_the_chart() -> None:
    page = read_page(render_report(CASES["with problems"]()))
    bars = [e for e in page.all("rect") if not e.has_class("box") and not e.has_class("halo")]
    assert len(bars) > 100
    assert all(float(bar.attributes["x"]) + float(bar.attributes["width"]) <= 1000.01 for bar in bars)


def test_hostile_names_are_only_ever_text() -> None:
    html = render_report(CASES["hostile"]())
    assert "<script" not in html
    assert "<img" not in html
    assert HOSTILE in read_page(html).text


def test_a_signature_in_the_manifest_is_not_shown() -> None:
    html = render_report(report_data())
    assert "secret" not in html
    assert "https://media.example/clip.mp4?…" in read_page(html).text


def test_the_same_data_gives_the_same_page() -> None:
    assert render_report(report_data()) == render_report(report_data())


def test_the_header_says_what_was_processed_and_how_it_ended() -> None:
    page = read_page(render_report(CASES["with problems"]()))
    (title,) = page.all("h1")
    assert title.text.split() == ["entrance-hall", "Partially", "completed"]
    (lead,) = page.all("p", "lead")
    assert "street_objects processed 2 videos, 1 h 20 min of footage" in lead.text
    assert "1 of 3 inputs failed; 1 corrupt stretch was skipped." in lead.text


def test_failed_inputs_and_gaps_say_why_and_what_to_do() -> None:
    words = text(read_page(render_report(CASES["with problems"]())), "attention")
    assert "InputNotFound gone.mp4 S3 has no such bucket" in words
    assert "Check the path or key" in words
    assert "Not retryable." in words
    assert f"entrance-north.mp4, 0:00{DASH}0:05" in words


def test_a_clean_run_has_no_section_about_problems() -> None:
    assert read_page(render_report(report_data())).section("attention") is None


def test_each_class_of_each_video_has_its_row_over_one_axis() -> None:
    page = read_page(render_report(report_data()))
    assert len(page.all("figure", "timeline")) == 2
    assert len(page.all("div", "row")) == 6
    words = text(page, "timeline")
    assert "in view 19 min 44 s, 14 times, at most 12" in words
    assert "0:00 5:00 10:00" in words


def test_a_video_is_called_what_the_user_calls_it() -> None:
    facts = run_facts(100, videos=(VideoFacts(0, "a.mp4", name="north door"),))
    page = read_page(render_report(replace(report_data(), facts=facts)))
    first, second = page.all("figcaption")
    assert first.text.split(" 40 min")[0].strip() == "north door"
    assert "s3://footage/2026/03/entrance-north.mp4" in first.text
    assert second.text.startswith("https://media.example/clip.mp4?…")
    assert page.all("td", "path")[0].text == "north door"


def test_a_job_without_any_good_input_says_so_and_draws_nothing() -> None:
    description = job((VideoEntry("gone.mp4", 0, 0, 0),), (not_found(0, "gone.mp4"),))
    page = read_page(render_report(ReportData(summarise(description, []), fold([], 2000))))
    assert "No video could be processed." in page.text
    assert page.section("attention") is not None
    assert page.section("found") is None


def test_nothing_seen_is_said_and_still_drawn() -> None:
    page = read_page(render_report(empty_data()))
    assert "No detection above the score threshold" in text(page, "found")
    assert "Nothing detected" in text(page, "timeline")
    assert "It found nothing." in page.all("p", "lead")[0].text


def test_peaks_have_their_picture_and_box_or_the_reason_why_not() -> None:
    page = read_page(render_report(report_data()))
    assert len(page.all("image")) == 11
    assert len(page.all("rect", "box")) == 11
    assert [element.text for element in page.all("div", "missing")] == ["The video no longer exists."]


def test_the_box_is_drawn_where_it_was_found() -> None:
    data = report_data()
    peak = data.pictures[0].peak
    shown = PeakPicture(peak, picture_bytes(), (100, 50, 1060, 590))
    page = read_page(render_report(replace(data, pictures=(shown,))))
    (box,) = page.all("rect", "box")
    found = tuple(int(box.attributes[name]) for name in ("x", "y", "width", "height"))
    assert found == (peak.box[0], peak.box[1], peak.box[2] - peak.box[0], peak.box[3] - peak.box[1])
    assert [e.attributes["viewbox"] for e in page.all("svg") if e.attributes["viewbox"] == "100 50 960 540"]


def test_storing_is_compared_with_one_item_per_frame() -> None:
    words = text(read_page(render_report(report_data())), "store")
    assert "61 write units $0.000038" in words
    assert "120,000 write units $0.07" in words
    assert "1,967 times fewer." in words


def test_results_that_came_out_otherwise_are_told() -> None:
    data = report_data()
    assert "Different results" not in read_page(render_report(data)).text
    told = read_page(render_report(replace(data, facts=run_facts(100, kept_other=2)))).text
    assert "Different results 2 segments; the results stored first are kept" in " ".join(told.split())


def test_a_run_that_stored_nothing_compares_nothing() -> None:
    facts = run_facts(100, usage=replace(run_facts(100).usage, write_units=0.0))
    assert read_page(render_report(replace(report_data(), facts=facts))).section("store") is None


@pytest.mark.parametrize(("videos", "minutes"), [(2, 300), (MAX_TIMELINES + 5, 5)], ids=["long videos", "many videos"])
def test_what_is_too_much_for_a_page_is_capped_and_said(videos: int, minutes: int) -> None:
    data = report_data(tuple(f"{number}.mp4" for number in range(videos)), minutes)
    page = read_page(render_report(data))
    assert len(page.all("td", "path")) == MAX_WINDOW_ROWS
    assert "more rows are not shown" in text(page, "windows")
    assert len(page.all("figure", "timeline")) == min(videos, MAX_TIMELINES)
    assert ("5 more videos are not drawn" in text(page, "timeline")) is (videos > MAX_TIMELINES)
    assert len(page.all("rect")) < 20_000


def test_a_hundred_gaps_do_not_bury_the_results() -> None:
    gaps = tuple(Gap(10_000 * at, 10_000 * at + 500, "corrupt packets") for at in range(100))
    page = read_page(render_report(report_data(gaps=gaps)))
    assert len(page.all("p", "where")) == MAX_PROBLEMS
    assert "70 more" in text(page, "attention")


def test_a_frequent_class_does_not_crowd_out_a_rare_one() -> None:
    results = [busy_segment(0, 0, 600_000, classes=1), busy_segment(1, 1, 60_000, classes=3)]
    entries = (VideoEntry("a.mp4", 600_000, 1920, 1080), VideoEntry("b.mp4", 60_000, 1920, 1080))
    summary = summarise(job(entries), results)
    peaks = choose_peaks(summary, limit=6)
    assert len(peaks) == 6
    assert {(peak.video, peak.label) for peak in peaks} >= {(0, "person"), (1, "person"), (1, "bicycle"), (1, "car")}
    assert [(peak.video, peak.time_ms) for peak in peaks] == sorted((peak.video, peak.time_ms) for peak in peaks)
