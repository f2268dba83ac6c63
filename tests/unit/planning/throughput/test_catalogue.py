"""The catalogue of speeds: which figure is taken, and how one is made for hardware that nobody measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from videojob.adapters.files.package_data import published_speeds, throughput_seeds
from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.throughput.catalogue import Catalogue
from videojob.planning.throughput.lookup import ModelOnHardware, VideoKind
from videojob.planning.throughput.measured import Measurement, Quantity, Subject
from videojob.planning.throughput.rate import Figure, Origin
from videojob.planning.throughput.seeds import parse_seeds
from videojob.planning.throughput.spread import spread_of

YOLO = ModelOnHardware("yolo11s", "sha256:1", 640 * 640, "tensorrt")
FACES = ModelOnHardware("face_detector", "sha256:2", 640 * 288, "onnxruntime", replica_cpus=4.0)
FULL_HD = VideoKind("h264", 1920 * 1080)


def machine(name: str, gpu: str = "", gpus: int = 0) -> InstanceType:
    return InstanceType(name, "amd64", 4, 16384, 3920, 14000, gpus=gpus or int(bool(gpu)), gpu=gpu)


T4, L4, A10G, L40S = (
    machine("g4dn.xlarge", "t4"),
    machine("g6.xlarge", "l4"),
    machine("g5.xlarge", "a10g"),
    machine("g6e.xlarge", "l40s"),
)
C7I, M5, C7G = machine("c7i.xlarge"), machine("m5.xlarge"), machine("c7g.xlarge")


def one(subject: Subject, mean: float, samples: int = 1) -> Measurement:
    return Measurement(subject, mean, mean * 0.8, mean * 1.2, samples, 0)


def figure_of(found: Figure | None) -> Figure:
    assert found is not None
    return found


def test_a_published_figure_is_taken_as_it_is_and_scaled_to_other_gpus() -> None:
    speeds = published_speeds()
    t4 = figure_of(speeds.replica(YOLO, T4))
    assert (t4.mean, t4.origin) == (400.0, Origin.PUBLISHED)
    for hardware, times in ((L4, 1.7), (A10G, 2.2), (L40S, 4.5)):
        found = figure_of(speeds.replica(YOLO, hardware))
        assert found.mean == pytest.approx(400 * times)
        assert found.origin is Origin.EXTRAPOLATED
        assert spread_of(found) > spread_of(t4)
        assert found.low <= found.mean <= found.high
        assert f"t4 to {hardware.gpu}" in found.note


def test_a_figure_follows_the_pixels_of_the_input() -> None:
    found = figure_of(published_speeds().replica(replace(YOLO, input_pixels=320 * 320), T4))
    assert found.mean == pytest.approx(1600)
    assert found.origin is Origin.EXTRAPOLATED


def test_a_replica_on_cpus_has_the_speed_of_its_vcpus() -> None:
    speeds = published_speeds()
    c7i = figure_of(speeds.replica(FACES, C7I))
    assert (c7i.mean, c7i.origin) == (84.0, Origin.PUBLISHED)
    assert figure_of(speeds.replica(FACES, M5)).mean == pytest.approx(42)
    assert figure_of(speeds.replica(FACES, C7G)).mean == pytest.approx(63)
    assert figure_of(speeds.replica(FACES, machine("c6gd.large"))).mean == pytest.approx(0.55 * 84)
    unknown = figure_of(speeds.replica(FACES, machine("x9z.large")))
    assert spread_of(unknown) > 1.5


def test_between_cpus_and_gpus_the_spread_is_wide() -> None:
    found = figure_of(published_speeds().replica(replace(FACES, replica_cpus=0.0), T4))
    assert found.mean == pytest.approx(21 * 33)
    assert found.high / found.mean > 2.5


def test_half_the_speed_where_tensorrt_was_published_and_cuda_is_installed() -> None:
    found = figure_of(published_speeds().replica(replace(YOLO, backend="onnxruntime"), T4))
    assert found.mean == pytest.approx(160)
    assert found.origin is Origin.EXTRAPOLATED


@pytest.mark.parametrize(
    ("model", "hardware"),
    [
        (replace(YOLO, model="of my own"), T4),
        (YOLO, C7I),
        (YOLO, machine("g3.4xlarge", "m60")),
        (YOLO, replace(T4, gpus=0)),
    ],
)
def test_nothing_tells(model: ModelOnHardware, hardware: InstanceType) -> None:
    assert published_speeds().replica(model, hardware) is None


def test_what_the_installation_says_outweighs_what_is_published() -> None:
    installed = replace(YOLO, installed_frames_per_s=300.0)
    speeds = published_speeds()
    assert figure_of(speeds.replica(installed, T4)).mean == 300.0
    assert figure_of(speeds.replica(installed, L4)).mean == pytest.approx(510)
    elsewhere = replace(installed, installed_hardware="l4")
    assert figure_of(speeds.replica(elsewhere, L4)).mean == 300.0
    assert figure_of(speeds.replica(elsewhere, T4)).mean == 400.0
    own = replace(installed, model="of my own", replica_cpus=4.0)
    assert figure_of(speeds.replica(own, C7I)).mean == 300.0
    assert figure_of(speeds.replica(own, M5)).mean == pytest.approx(150)


def test_what_was_measured_outweighs_both_and_the_job_itself_outweighs_that() -> None:
    subject = Subject(Quantity.REPLICA, YOLO.digest, YOLO.input_pixels, "t4", "tensorrt", 16)
    here, job = one(subject, 350.0), one(subject, 320.0)
    installed = replace(YOLO, installed_frames_per_s=300.0)
    measured = figure_of(Catalogue(throughput_seeds(), (here,)).replica(installed, T4))
    assert (measured.mean, measured.origin, measured.samples) == (350.0, Origin.MEASURED, 1)
    this = figure_of(Catalogue(throughput_seeds(), (here,), (job,)).replica(installed, T4))
    assert (this.mean, this.origin) == (320.0, Origin.THIS_JOB)
    other = replace(YOLO, digest="sha256:other")
    assert figure_of(Catalogue(throughput_seeds(), (here,)).replica(other, T4)).mean == 400.0
    from_t4 = figure_of(Catalogue(throughput_seeds(), (here,)).replica(installed, L4))
    assert from_t4.mean == pytest.approx(350 * 1.7)
    assert "measured here" in from_t4.note


def test_decoding_follows_pixels_codec_and_cpu_family() -> None:
    speeds = published_speeds()
    assert speeds.decode(FULL_HD, C7I).mean == pytest.approx(105)
    assert speeds.decode(FULL_HD, C7I).origin is Origin.PUBLISHED
    assert speeds.decode(VideoKind("h264", 640 * 272), C7I).mean == pytest.approx(1111)
    four_k = speeds.decode(VideoKind("h264", 3840 * 2160), C7I)
    assert four_k.mean == pytest.approx(26, rel=0.02)
    assert 0.4 * 105 < speeds.decode(replace(FULL_HD, codec="av1"), C7I).mean < 0.6 * 105
    assert spread_of(speeds.decode(replace(FULL_HD, codec="hevc"), C7I)) > spread_of(speeds.decode(FULL_HD, C7I))
    assert spread_of(speeds.decode(replace(FULL_HD, codec="none"), C7I)) > 1.5
    assert speeds.decode(FULL_HD, T4).mean == pytest.approx(0.75 * 105)
    tiny = speeds.decode(VideoKind("h264", 1), C7I)
    assert 0 < tiny.low <= tiny.mean < 12_000


def test_keyframes_and_sending_cost_more() -> None:
    speeds = published_speeds()
    assert speeds.decode(replace(FULL_HD, keyframes_only=True), C7I).mean == pytest.approx(75)
    sent = speeds.decode(VideoKind("h264", 640 * 272, sent_pixels=640 * 288), C7I)
    assert sent.mean == pytest.approx(1 / (0.9 + 1.6) * 1000, rel=0.01)


def test_decoding_that_was_measured() -> None:
    subject = Subject(Quantity.DECODE, "h264", 1920 * 1080, "c7i")
    speeds = Catalogue(throughput_seeds(), (one(subject, 80.0, 5),))
    found = speeds.decode(replace(FULL_HD, pixels=1920 * 1088), C7I)
    assert found.mean == pytest.approx(79.4, rel=0.01)
    assert found.origin is Origin.MEASURED
    assert speeds.decode(FULL_HD, M5).mean == pytest.approx(60)
    assert speeds.decode(replace(FULL_HD, pixels=1280 * 720), C7I).origin is Origin.EXTRAPOLATED
    assert speeds.decode(replace(FULL_HD, codec="hevc"), C7I).mean == pytest.approx(63, rel=0.01)


def test_a_cold_start_by_part() -> None:
    speeds = published_speeds()
    gpu = speeds.start(YOLO, T4)
    assert (gpu.node.mean, gpu.image.mean, gpu.model.mean, gpu.node_free_s) == (100, 240, 50, 18)
    assert gpu.engine is not None
    assert gpu.engine.mean == 2200
    cpu = speeds.start(FACES, C7I)
    assert cpu.node.mean < gpu.node.mean
    assert cpu.engine is None
    node = one(Subject(Quantity.NODE, "", 0, "t4"), 61.0, 7)
    model = one(Subject(Quantity.MODEL, YOLO.digest, 0, "t4"), 33.0, 7)
    measured = Catalogue(throughput_seeds(), (node, model)).start(YOLO, T4)
    assert (measured.node.mean, measured.model.mean, measured.image.mean) == (61, 33, 240)


@pytest.mark.parametrize("figure", ["-1", "0", "nan", "inf", "many"])
def test_a_table_with_a_figure_that_is_none(figure: str) -> None:
    head = "kind,subject,pixels,hardware,runtime,batch,figure,spread,quality,source,note"
    with pytest.raises(ValueError, match=r"is not|could not"):
        parse_seeds(f"{head}\nreplica,a,1,t4,,,{figure},0,official,,", "part,mean_s")
    with pytest.raises(ValueError, match="none of"):
        parse_seeds(f"{head}\nspeed,a,1,t4,,,1,0,official,,", "part,mean_s")
    starts = "part,hardware,runtime,mean_s,low_s,high_s,quality,source,note\nnode,gpu,*,10,20,30,blog,,"
    with pytest.raises(ValueError, match="does not hold"):
        parse_seeds(head, starts)
