"""The controller's prices: which sources are asked when, what is kept, and that nobody ever waits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from threading import Event

import pytest
from prometheus_client import generate_latest

from support.fakes import FakeClock
from support.price_sources import STATIC_NOTICE, a_static_table, quote
from videojob.controller.price_sources import prices_of, readers_of, static_table
from videojob.controller.prices import Prices
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.errors import PricesUnavailable
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.cost.readings import PriceReading
from videojob.planning.installation import CapacityType
from videojob.ports.prices import PriceReader

A = "us-east-1a"
BOTH: frozenset[CapacityType] = frozenset({"spot", "on-demand"})
MINUTE_S, HOUR_S = 60, 3600
SETTINGS = PriceSettings("us-east-1", (PriceSource.KARPENTER, PriceSource.AWS), refresh_s=300)


class FakeReader(PriceReader):
    """Answers or fails as told; counts how often it was asked."""

    def __init__(self, source: PriceSource, usd: str = "0.8", problem: Exception | None = None) -> None:
        self.source, self.usd, self.problem = source, usd, problem
        self.covers: frozenset[CapacityType] = BOTH
        self.asked = 0
        self.before: Callable[[], object] = lambda: None

    def offers(self, now_s: float) -> PriceReading:
        self.asked += 1
        self.before()
        if self.problem is not None:
            raise self.problem
        quotes = [quote("g6.xlarge", "on-demand", A, self.usd), quote("c7i.large", "on-demand", A, "0.1")]
        return PriceReading(self.source, tuple(quotes), self.covers)


class World:
    """Two sources and the table made of them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.karpenter = FakeReader(PriceSource.KARPENTER, "0.81")
        self.aws = FakeReader(PriceSource.AWS, "0.82")
        self.metrics = ControllerMetrics()
        self.rounds = Event()
        self.prices = Prices(
            a_static_table(),
            [self.karpenter, self.aws],
            SETTINGS,
            self.clock,
            metrics=self.metrics,
            changed=self.rounds.set,
        )

    def refresh(self, after_s: float = 0) -> None:
        self.clock.seconds += after_s
        self.prices.refresh()

    @property
    def on_demand(self) -> tuple[Decimal, PriceSource]:
        (found,) = [one for one in self.prices.table.offers if one.type.name == "g6.xlarge"]
        return found.price.usd_per_h, found.price.source

    @property
    def asked(self) -> tuple[int, int]:
        return self.karpenter.asked, self.aws.asked


def test_before_anything_was_read_there_is_the_static_table() -> None:
    world = World()
    assert world.prices.table.notices == (STATIC_NOTICE,)
    assert world.asked == (0, 0)


def test_the_second_source_is_not_asked_while_the_first_one_does() -> None:
    world = World()
    world.refresh()
    world.refresh(300)
    assert (world.on_demand, world.asked) == ((Decimal("0.81"), PriceSource.KARPENTER), (2, 0))


@pytest.mark.parametrize(
    "problem", [PricesUnavailable("the address answers with HTML"), RuntimeError("a fault of the program")]
)
def test_when_the_first_source_fails_the_second_one_is_asked(problem: Exception) -> None:
    world = World()
    world.karpenter.problem = problem
    world.refresh()
    assert (world.on_demand, world.asked) == ((Decimal("0.82"), PriceSource.AWS), (1, 1))
    assert "Instead, prices come from AWS' price APIs." in world.prices.table.notices[0]
    # AWS is asked once an hour, Karpenter at each round.
    world.refresh(300)
    assert world.asked == (2, 1)
    world.refresh(HOUR_S)
    assert world.asked == (3, 2)


def test_a_failure_is_bridged_for_ten_minutes_before_the_next_source_is_asked() -> None:
    world = World()
    world.refresh()
    world.karpenter.problem = PricesUnavailable("no answer")
    world.refresh(300)
    assert (world.on_demand, world.asked) == ((Decimal("0.81"), PriceSource.KARPENTER), (2, 0))
    world.refresh(601)
    assert (world.on_demand, world.asked) == ((Decimal("0.82"), PriceSource.AWS), (3, 1))
    world.karpenter.problem = None
    world.refresh(300)
    assert world.on_demand == (Decimal("0.81"), PriceSource.KARPENTER)
    assert world.prices.table.notices == ()


@pytest.mark.parametrize("nonsense", ["0", "NaN", "-1", "810"])
def test_one_figure_that_is_no_price_is_taken_from_the_second_source(nonsense: str) -> None:
    world = World()
    world.karpenter.usd = nonsense
    world.refresh()
    assert world.on_demand == (Decimal("0.82"), PriceSource.AWS)


def test_a_source_without_spot_prices_does_not_suffice() -> None:
    world = World()
    world.karpenter.covers = frozenset({"on-demand"})
    world.refresh()
    assert world.asked == (1, 1)


def test_when_all_fail_the_last_good_figures_stay_and_then_the_static_table() -> None:
    world = World()
    world.refresh()
    world.karpenter.problem = world.aws.problem = PricesUnavailable("no answer")
    world.refresh(5 * HOUR_S)
    assert world.on_demand == (Decimal("0.81"), PriceSource.KARPENTER)
    assert "Figures that are 5 h old stay in use." in world.prices.table.notices[0]
    world.refresh(8 * 24 * HOUR_S)
    assert {one.price.source for one in world.prices.table.offers} == {PriceSource.STATIC}


def test_metrics_show_sources_ages_and_failures() -> None:
    world = World()
    world.refresh()
    world.karpenter.problem = PricesUnavailable("no answer")
    world.refresh(120)
    shown = generate_latest(world.metrics.registry).decode()
    assert 'videojob_price_offers{precision="this_zone",source="karpenter"} 2.0' in shown
    assert 'videojob_price_age_seconds{source="karpenter"} 120.0' in shown
    assert 'videojob_price_source_failing{source="karpenter"} 0.0' in shown
    world.refresh(200)
    shown = generate_latest(world.metrics.registry).decode()
    assert 'videojob_price_age_seconds{source="karpenter"} 320.0' in shown
    assert 'videojob_price_source_failing{source="karpenter"} 1.0' in shown
    assert 'videojob_price_source_failing{source="aws"} 0.0' in shown


def test_a_thread_keeps_the_table_and_nobody_waits_for_a_source_that_hangs() -> None:
    world = World()
    released, asked = Event(), Event()

    def hang() -> None:
        asked.set()
        released.wait(30)

    world.karpenter.before = hang
    world.prices.start()
    world.prices.start()  # again changes nothing
    assert asked.wait(30)
    assert world.prices.table.notices == (STATIC_NOTICE,)
    released.set()
    assert world.rounds.wait(30)
    assert (world.on_demand[1], world.karpenter.asked) == (PriceSource.KARPENTER, 1)
    world.prices.stop()


def test_an_answer_that_comes_after_the_stop_changes_nothing() -> None:
    world = World()
    stop = Event()
    world.karpenter.before = stop.set
    world.prices.refresh(stop)
    assert (world.prices.table.notices, world.rounds.is_set()) == ((STATIC_NOTICE,), False)


def test_without_a_live_source_no_thread_is_needed() -> None:
    prices = prices_of(PriceSettings("eu-central-1"), FakeClock())
    prices.start()
    prices.stop()
    assert "scaled to eu-central-1" in prices.table.notices[1]
    assert prices.small is not None
    assert prices.small.is_scaled


@pytest.mark.parametrize(
    ("region", "offers", "notice"),
    [
        ("", 394, "No region is known (aws.region of the chart's values): prices are those of us-east-1."),
        ("us-east-1", 394, "Prices come from the project's static table"),
        ("cn-north-1", 0, "There are no prices: AWS bills cn-north-1 in CNY"),
    ],
)
def test_the_static_table_of_any_region(region: str, offers: int, notice: str) -> None:
    table = static_table(region)
    assert (len(table.offers), len(table.types)) == (offers, 197)
    assert table.notices[0].startswith(notice)


def test_in_china_a_controller_works_without_prices() -> None:
    prices = prices_of(PriceSettings("cn-north-1", (PriceSource.AWS,)), FakeClock())
    prices.refresh()
    assert (prices.table.offers, prices.small) == ((), None)


def test_readers_of_settings() -> None:
    settings = PriceSettings("us-east-1", (PriceSource.AWS, PriceSource.KARPENTER), "http://karpenter/metrics")
    assert [one.source for one in readers_of(settings)] == [PriceSource.AWS, PriceSource.KARPENTER]
