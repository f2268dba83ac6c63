"""Timing a model in a child process, and keeping what came out."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from onnx import helper

from support.triton import filter_graph, write_filter
from videojob.adapters.triton.model_repository import RepositoryModel, read_model
from videojob.local.triton.calibration import Timings, timings_for


def measured(model: RepositoryModel, cache: Path) -> Timings | None:
    return timings_for(model.config, model.folder / "1" / "model.onnx", cache)


def test_a_model_is_measured_once_per_weights_and_size(tmp_path: Path) -> None:
    model = read_model(write_filter(tmp_path / "repository"))
    first = measured(model, tmp_path)
    assert first is not None
    assert sorted(first.frame_ms) == [1, 2, 4]
    assert all(took > 0 for took in first.frame_ms.values())
    assert first.peak_rss_bytes > 10 << 20
    assert first.providers[-1] == "CPUExecutionProvider"
    assert measured(model, tmp_path) == first
    assert len(list((tmp_path / "calibration").iterdir())) == 1


def test_another_input_size_is_another_measurement(tmp_path: Path) -> None:
    path = write_filter(tmp_path / "repository") / "config.pbtxt"
    assert measured(read_model(path.parent), tmp_path) is not None
    path.write_text(path.read_text(encoding="utf-8").replace('"64"', '"128"'), encoding="utf-8")
    assert measured(read_model(path.parent), tmp_path) is not None
    assert len(list((tmp_path / "calibration").iterdir())) == 2


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"frame_ms": {}}', '{"frame_ms": 1, "peak_rss_bytes": "x"}'])
def test_a_broken_record_is_measured_again(broken: str, tmp_path: Path) -> None:
    model = read_model(write_filter(tmp_path / "repository"))
    measured(model, tmp_path)
    (record,) = (tmp_path / "calibration").iterdir()
    record.write_text(broken, encoding="utf-8")
    again = measured(model, tmp_path)
    assert again is not None
    assert measured(model, tmp_path) == again


def test_a_model_that_cannot_be_measured_is_served_with_defaults_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = read_model(write_filter(tmp_path / "repository", weights=b"rubbish"))
    with caplog.at_level(logging.INFO):
        assert measured(model, tmp_path) is None
    assert "is not calibrated" in caplog.text
    assert "Protobuf" in caplog.text


def test_a_model_without_a_batch_axis_is_measured_one_by_one(tmp_path: Path) -> None:
    found = measured(read_model(write_filter(tmp_path / "repository", max_batch=0)), tmp_path)
    assert found is not None
    assert list(found.frame_ms) == [1]
    assert found.peak_rss_bytes > 10 << 20


def test_more_frames_per_run_are_out_of_question_where_they_change_a_number(tmp_path: Path) -> None:
    graph = filter_graph()
    graph.graph.node[-1].output[0] = "own"
    of_all = helper.make_node("ReduceMean", ["own"], ["of_all"], axes=[0], keepdims=1)
    graph.graph.node.extend([of_all, helper.make_node("Sub", ["own", "of_all"], ["mean"])])
    model = read_model(write_filter(tmp_path / "repository", weights=graph.SerializeToString()))
    found = measured(model, tmp_path)
    assert found is not None
    assert list(found.frame_ms) == [1]
