from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob.vision.geometry import fit, to_input, to_source
from videojob.vision.tensors import Detections, Geometry, PixelInput

ANY_SIZE = PixelInput(name="frames", dtype="UINT8", layout="NHWC", colour="RGB", long_side=640, stride=32)
FIXED = replace(ANY_SIZE, width=640, height=640)


def detections(*boxes: tuple[float, float, float, float]) -> Detections:
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), scores, np.arange(len(boxes), dtype=np.int32))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((640, 272), (640, 288)),  # 8.5 strides go up
        ((1920, 1080), (640, 352)),  # 11.25 strides go down
        ((1080, 1920), (352, 640)),
        ((3840, 2160), (640, 352)),
        ((176, 144), (640, 512)),  # small pictures grow: the model sees objects at the size it was made for
        ((5000, 20), (640, 32)),  # never less than one stride
        ((1, 1), (640, 640)),
    ],
)
def test_a_model_of_any_size_gets_the_nearest_multiples_of_its_stride(
    source: tuple[int, int], expected: tuple[int, int]
) -> None:
    geometry = fit(*source, ANY_SIZE)
    assert (geometry.width, geometry.height) == expected


@pytest.mark.parametrize(
    ("source", "inner", "pad"),
    [
        ((1920, 1080), (640, 360), (0, 140)),
        ((1080, 1920), (360, 640), (140, 0)),
        ((640, 640), (640, 640), (0, 0)),
        ((333, 1000), (213, 640), (213, 0)),
    ],
)
def test_letterbox_centres_the_picture_and_keeps_its_aspect(
    source: tuple[int, int], inner: tuple[int, int], pad: tuple[int, int]
) -> None:
    geometry = fit(*source, FIXED)
    assert geometry.inner_size == inner
    assert (geometry.pad_x, geometry.pad_y) == pad


def test_letterbox_also_applies_inside_a_free_size() -> None:
    geometry = fit(1920, 1080, ANY_SIZE)
    assert geometry.inner_size == (626, 352)
    assert (geometry.pad_x, geometry.pad_y) == (7, 0)


def test_stretch_fills_the_input() -> None:
    geometry = fit(1920, 1080, replace(FIXED, resize="stretch"))
    assert geometry.inner_size == (640, 640)
    assert (geometry.pad_x, geometry.pad_y) == (0, 0)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="0 x 10"):
        fit(0, 10, ANY_SIZE)


SIDES = st.integers(1, 9000)


@given(SIDES, SIDES, st.sampled_from([ANY_SIZE, FIXED, replace(ANY_SIZE, resize="stretch")]))
def test_the_picture_always_lies_inside_the_input(width: int, height: int, pixels: PixelInput) -> None:
    geometry = fit(width, height, pixels)
    inner_width, inner_height = geometry.inner_size
    assert geometry.pad_x >= 0
    assert geometry.pad_y >= 0
    assert 1 <= inner_width <= geometry.width - geometry.pad_x
    assert 1 <= inner_height <= geometry.height - geometry.pad_y
    assert geometry.scale_x * width == pytest.approx(inner_width)
    assert geometry.scale_y * height == pytest.approx(inner_height)


@given(SIDES, SIDES, st.sampled_from([ANY_SIZE, FIXED, replace(FIXED, resize="stretch")]), st.data())
def test_boxes_survive_the_way_in_and_back(width: int, height: int, pixels: PixelInput, data: st.DataObject) -> None:
    geometry = fit(width, height, pixels)
    corner = [data.draw(st.floats(0, 0.9)) for _ in range(2)]
    extent = [data.draw(st.floats(0.01, 0.1)) for _ in range(2)]
    shares = np.array([corner[0], corner[1], corner[0] + extent[0], corner[1] + extent[1]])
    box = shares * [width, height, width, height]
    scale = np.array([geometry.scale_x, geometry.scale_y] * 2)
    pad = np.array([geometry.pad_x, geometry.pad_y] * 2)
    placed = detections(tuple(box * scale + pad))
    back = to_source(placed, geometry)
    # Input coordinates are float32: what is lost is lost there, a ten-thousandth of an input pixel.
    assert back.boxes[0] == pytest.approx(box, abs=1e-4 / min(geometry.scale_x, geometry.scale_y))


def test_whole_pixels_come_back_exactly() -> None:
    geometry = fit(1280, 720, replace(FIXED, width=640, height=640))
    back = to_source(detections((0, 140, 640, 500), (10, 150, 20, 160)), geometry)
    assert back.boxes.tolist() == [[0, 0, 1280, 720], [20, 20, 40, 40]]


def test_boxes_are_clipped_to_the_picture() -> None:
    geometry = fit(1280, 720, FIXED)
    back = to_source(detections((-50, 100, 700, 600)), geometry)
    assert back.boxes.tolist() == [[0, 0, 1280, 720]]


def test_a_box_in_the_padding_alone_is_dropped_with_its_score_class_and_track() -> None:
    geometry = fit(1280, 720, FIXED)
    found = replace(detections((0, 0, 100, 100), (0, 200, 100, 300)), track_ids=np.array([7, 8], np.int32))
    back = to_source(found, geometry)
    assert back.class_ids.tolist() == [1]
    assert back.scores.tolist() == [0.5]
    assert back.track_ids is not None
    assert back.track_ids.tolist() == [8]


@given(SIDES, SIDES, st.sampled_from([ANY_SIZE, FIXED, replace(FIXED, resize="stretch")]))
def test_the_whole_picture_lies_where_its_pixels_go(width: int, height: int, pixels: PixelInput) -> None:
    geometry = fit(width, height, pixels)
    placed = to_input(detections((0, 0, width, height)), geometry)
    inner_width, inner_height = geometry.inner_size
    expected = [geometry.pad_x, geometry.pad_y, geometry.pad_x + inner_width, geometry.pad_y + inner_height]
    assert placed.boxes[0] == pytest.approx(expected, abs=1e-3)
    assert to_source(placed, geometry).boxes[0] == pytest.approx([0, 0, width, height], rel=1e-5)


@pytest.mark.parametrize(
    ("size", "place"),
    [
        ((320, 240), (0, 80, 640, 480)),
        ((160, 120), (0, 80, 640, 480)),  # the same shape: what does not move stays where it is
        ((1280, 960), (0, 80, 640, 480)),
        ((240, 320), (140, 80, 360, 480)),  # turned
        ((640, 240), (0, 200, 640, 240)),
        ((1, 8000), (319, 80, 1, 480)),
    ],
)
def test_a_picture_of_another_size_lies_in_the_middle_of_the_first_ones_place(
    size: tuple[int, int], place: tuple[int, int, int, int]
) -> None:
    assert fit(320, 240, FIXED).place(*size) == place


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from([ANY_SIZE, FIXED, replace(FIXED, resize="stretch")]))
def test_every_picture_lies_inside_the_first_ones_place(
    width: int, height: int, other_width: int, other_height: int, pixels: PixelInput
) -> None:
    geometry = fit(width, height, pixels)
    inner_width, inner_height = geometry.inner_size
    assert geometry.place(width, height) == (geometry.pad_x, geometry.pad_y, inner_width, inner_height)
    x, y, across, down = geometry.place(other_width, other_height)
    assert geometry.pad_x <= x < x + across <= geometry.pad_x + inner_width
    assert geometry.pad_y <= y < y + down <= geometry.pad_y + inner_height
    assert across == inner_width or down == inner_height


def test_no_boxes_stay_no_boxes() -> None:
    assert len(to_source(Detections.empty(), Geometry(10, 10, 10, 10, 1.0, 1.0, 0, 0))) == 0
