"""The chart's alerts, evaluated by Prometheus' own promtool on series as they come from a controller and a Triton."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.charts import NAMESPACE, ROOT, named, of_kind, render
from videojob.controller.leading import LeadOptions

ALL = {"monitoring": {name: {"enabled": True} for name in ("serviceMonitor", "podMonitor", "prometheusRule")}}
SCRAPED_EVERY_S = 30
OURS = f'namespace="{NAMESPACE}"'
UP = f'up{{{OURS}, service="videojob-controller", pod="c"}}'
SILENT = f'videojob_watch_silent_seconds{{{OURS}, pod="c"}}'
LOOKS = 'videojob_reconciles_total{%s, kind="VideoJob", outcome="%s"}'
TRITON = 'nv_inference_%s{%s, model="%s", pod="t"}'


@functools.cache
def promtool() -> Path:
    done = subprocess.run([ROOT / "scripts" / "promtool"], stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    return Path(done.stdout.splitlines()[-1])


@functools.cache
def rules() -> dict[str, Any]:
    """What the PrometheusRule holds, as a file of Prometheus."""
    (rule,) = of_kind(render(ALL), "PrometheusRule")
    return {"groups": rule["spec"]["groups"]}


def judged(folder: Path, series: dict[str, str], every_s: int, test: dict[str, Any]) -> str:
    """What promtool has against a test of the rules on these series; "" for nothing."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules()))
    group = {
        "interval": f"{SCRAPED_EVERY_S}s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
    }
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{every_s}s", "tests": [group | test]}
    (folder / "tests.yaml").write_text(yaml.safe_dump(whole))
    command: list[Path | str] = [promtool(), "test", "rules", "tests.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def firing(folder: Path, alert: str, series: dict[str, str], at_s: int, *, every_s: int = 30) -> bool:
    """Whether the alert fires then, on values that are scraped one after another."""
    count = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)'
    answers = [
        judged(folder, series, every_s, {"promql_expr_test": [_expecting(count, at_s, value)]}) for value in (0, 1)
    ]
    assert answers.count("") == 1, answers
    return answers[1] == ""


def _expecting(expression: str, at_s: int, value: int) -> dict[str, Any]:
    return {"expr": expression, "eval_time": f"{at_s}s", "exp_samples": [{"labels": "{}", "value": value}]}


def test_promtool_takes_the_rules_whole(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()))
    command: list[Path | str] = [promtool(), "check", "rules", "rules.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(len(group['rules']) for group in rules()['groups'])} rules found" in done.stdout


def silence(first_s: int, until_s: int) -> str:
    """Scrapes of a canary that falls silent: 0 for a minute, then rising, until the process ends."""
    return " ".join(map(str, [0, 0, *range(first_s, until_s, SCRAPED_EVERY_S)]))


@pytest.mark.parametrize("every_s", [30, 60], ids=["evaluated every 30 s", "evaluated every 60 s"])
@pytest.mark.parametrize("first_s", [1, 10, 20, 29])
def test_a_deaf_controller_is_told_of_before_it_is_started_anew(tmp_path: Path, first_s: int, every_s: int) -> None:
    container = named(render(), "Deployment", "videojob-controller")["spec"]["template"]["spec"]["containers"][0]
    probe = container["livenessProbe"]
    ends_s = int(LeadOptions().unseen_after_s) + (probe["failureThreshold"] - 1) * probe["periodSeconds"]
    values = silence(first_s, ends_s)
    scrapes = range(0, len(values.split()) * SCRAPED_EVERY_S, every_s)
    fired = [
        at_s for at_s in scrapes if firing(tmp_path, "VideoJobControllerDeaf", {SILENT: values}, at_s, every_s=every_s)
    ]
    assert fired, values


@pytest.mark.parametrize(
    "values",
    ["0x20", "0 10 20 0 10 0 20 10 0 0", f"0 0 20 {int(LeadOptions().renew_after_s) + 10} 0 0 0 0"],
    ids=["hears all", "hears late", "watches restarted in time"],
)
def test_a_controller_that_hears_again_by_itself_is_no_news(tmp_path: Path, values: str) -> None:
    for at_s in range(0, 240, 30):
        assert not firing(tmp_path, "VideoJobControllerDeaf", {SILENT: values}, at_s)


@pytest.mark.parametrize(
    ("values", "at_s", "fires"),
    [("1x20", 600, False), ("1 1 0x20", 330, False), ("1 1 0x20", 390, True), ("1 1 _x20", 660, True)],
    ids=["there", "does not answer at the moment", "its pod answers no scrape", "it has no pod"],
)
def test_a_controller_that_is_away_is_told_of(tmp_path: Path, values: str, at_s: int, *, fires: bool) -> None:
    assert firing(tmp_path, "VideoJobControllerDown", {UP: values}, at_s) is fires


@pytest.mark.parametrize(("done", "failed", "fires"), [(10, 1, False), (0, 10, True), (4, 6, True)])
def test_a_controller_whose_looks_fail_is_told_of(tmp_path: Path, done: int, failed: int, *, fires: bool) -> None:
    series = {LOOKS % (OURS, "done"): f"0+{done}x60", LOOKS % (OURS, "failed"): f"0+{failed}x60"}
    assert firing(tmp_path, "VideoJobControllerFailing", series, 1500) is fires


@pytest.mark.parametrize(("values", "fires"), [("1x40", True), ("1x10 _x30", False), ("_x40", False)])
def test_a_namespace_that_may_not_be_listed_is_told_of(tmp_path: Path, values: str, *, fires: bool) -> None:
    series = {f'videojob_namespace_refused{{{OURS}, pod="c", tenant="gone"}}': values}
    assert firing(tmp_path, "VideoJobNamespaceRefused", series, 900) is fires


@pytest.mark.parametrize(("values", "fires"), [("1x40", True), ("0x40", False), ("1x10 0x30", False)])
def test_a_release_that_another_one_keeps_from_serving_is_told_of(tmp_path: Path, values: str, *, fires: bool) -> None:
    assert (
        firing(tmp_path, "VideoJobScopeForeign", {f'videojob_scope_foreign{{{OURS}, pod="c"}}': values}, 900) is fires
    )


@pytest.mark.parametrize(("failed", "fires"), [(0, False), (1, False), (10, True)])
def test_a_server_that_fails_is_told_of_by_its_model(tmp_path: Path, failed: int, *, fires: bool) -> None:
    series = triton("request_success", "0+100x60") | triton("request_failure", f"0+{failed}x60")
    assert firing(tmp_path, "VideoJobTritonFailing", series, 900) is fires


@pytest.mark.parametrize(("waiting", "fires"), [("64x60", False), ("2000 0 0x60", False), ("2000x60", True)])
def test_requests_that_queue_for_long_are_told_of(tmp_path: Path, waiting: str, *, fires: bool) -> None:
    assert firing(tmp_path, "VideoJobTritonQueueing", triton("pending_request_count", waiting), 900) is fires


def triton(metric: str, values: str, model: str = "face_detector") -> dict[str, str]:
    return {TRITON % (metric, OURS, model): values}


def test_another_installations_series_are_not_ours(tmp_path: Path) -> None:
    other = 'namespace="other"'
    series = {
        TRITON % ("pending_request_count", other, "a"): "2000x60",
        f"videojob_watch_silent_seconds{{{other}}}": "600x60",
    }
    for alert in ("VideoJobTritonQueueing", "VideoJobControllerDeaf"):
        assert not firing(tmp_path, alert, series, 900)


def test_an_alert_names_the_model(tmp_path: Path) -> None:
    alerts: Sequence[dict[str, Any]] = rules()["groups"][0]["rules"]
    (rule,) = [one for one in alerts if one["alert"] == "VideoJobTritonQueueing"]
    expected = {
        "exp_labels": {**rule["labels"], "model": "face_detector"},
        "exp_annotations": {**rule["annotations"], "summary": "Requests wait for the model face_detector."},
    }
    test = {"alertname": rule["alert"], "eval_time": "900s", "exp_alerts": [expected]}
    series = triton("pending_request_count", "2000x60")
    assert judged(tmp_path, series, 30, {"alert_rule_test": [test]}) == ""
