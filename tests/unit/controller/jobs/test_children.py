"""What the controller makes of a job's children that are there already."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from support.decisions import INSTALLATION, a_job
from support.job_desk import KEY, JobDesk
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import CONFIG_MAPS, JOBS, VIDEOJOBS, Kind
from videojob.kube.names import child_name
from videojob.kube.render.jobs import config_map, plan_job
from videojob.planning.state.pods import PlannerDesired


def test_a_look_that_ended_between_file_and_job_is_gone_on_with_and_no_config_map_is_read() -> None:
    desk = JobDesk()
    desk.start()

    def away(verb: str, kind: Kind, _name: str) -> Exception | None:
        return ClusterUnavailable("away") if (verb, kind) == ("create", JOBS) else None

    desk.cluster.refuse = away
    with pytest.raises(ClusterUnavailable):
        desk.look()
    (file,) = desk.cluster.names(CONFIG_MAPS)
    assert desk.jobs == []

    desk.cluster.refuse = lambda _verb, _kind, _name: None
    desk.clock.seconds += 10
    desk.look()
    assert len(desk.jobs) == 1
    assert desk.cluster.names(CONFIG_MAPS) == [file]
    assert {verb for verb, plural, _ in desk.cluster.calls if plural == CONFIG_MAPS.plural} == {"create"}


def test_somebody_elses_job_under_the_name_is_never_taken_over() -> None:
    desk = JobDesk()
    desk.start()
    theirs = plan_job(a_job(), PlannerDesired(1), INSTALLATION)
    del theirs["metadata"]["ownerReferences"], theirs["metadata"]["labels"]
    desk.cluster.put(JOBS, theirs)
    with pytest.raises(ClusterRefused, match="has another owner"):
        desk.look()
    assert desk.jobs[0]["spec"] == theirs["spec"]


def edited(desk: JobDesk, threshold: str) -> None:
    """Somebody changes what is asked for, as the API server allows it until startTime is there."""
    value = desk.job
    assert "startTime" not in value.get("status", {})
    model = value["spec"]["model"] | {"threshold": threshold}
    desk.cluster.put(VIDEOJOBS, value | {"spec": value["spec"] | {"model": model}})


def threshold_of(desk: JobDesk) -> str:
    """That the planner's pod reads."""
    volumes = desk.jobs[-1]["spec"]["template"]["spec"]["volumes"]
    name = next(one["configMap"]["name"] for one in volumes if "configMap" in one)
    file = desk.cluster.stored[CONFIG_MAPS.plural, KEY[0], name]["data"]["job.json"]
    return str(json.loads(file)["job"]["spec"]["model"]["threshold"])


def test_nothing_is_made_of_a_job_whose_spec_may_still_change() -> None:
    desk = JobDesk()
    desk.start()
    before: list[str] = []

    def edit_ahead_of_the_lock(verb: str, kind: Kind, _name: str) -> Exception | None:
        if (verb, kind) == ("patch", VIDEOJOBS) and not before:
            before.append("an edit")
            edited(desk, "0.9")
        if verb == "create" and kind in {CONFIG_MAPS, JOBS}:
            assert "startTime" in desk.status, "the spec is locked"
        return None

    desk.cluster.refuse = edit_ahead_of_the_lock
    desk.look()
    assert threshold_of(desk) == "0.9" == str(desk.job["spec"]["model"]["threshold"])
    assert len(desk.jobs) == 1


def test_a_job_that_is_held_before_its_start_is_not_locked() -> None:
    desk = JobDesk()
    desk.start({"suspend": True})
    desk.look()
    assert desk.jobs == []
    assert desk.cluster.names(CONFIG_MAPS) == []
    edited(desk, "0.8")
    desk.cluster.put(VIDEOJOBS, desk.job | {"spec": desk.job["spec"] | {"suspend": False}})
    desk.look()
    assert threshold_of(desk) == "0.8"


def by_the_previous_release(desk: JobDesk, *, plan: bool) -> str:
    """It made a job's file, and perhaps the planner's Job, and was killed before it stored a startTime."""
    name = f"{child_name(a_job().metadata, 'job')}"
    file = config_map(a_job(), INSTALLATION)
    desk.cluster.put(CONFIG_MAPS, file | {"metadata": file["metadata"] | {"name": name}})
    if plan:
        desk.cluster.put(JOBS, plan_job(a_job(), PlannerDesired(1), INSTALLATION, name))
        desk.plan()
    return name


@pytest.mark.parametrize("plan", [False, True], ids=["a file", "a planner's Job and its plan"])
def test_what_the_previous_release_made_of_an_older_spec_is_not_used(plan: bool) -> None:
    desk = JobDesk()
    desk.start()
    by_the_previous_release(desk, plan=plan)
    edited(desk, "0.9")
    desk.look()
    assert threshold_of(desk) == "0.9"
    (job,) = desk.jobs
    assert job["metadata"]["labels"]["videojob.dev/attempt"] == ("2" if plan else "1")
    assert desk.reason == "Probing"


def test_a_job_that_the_previous_release_began_goes_on_with_the_file_that_it_was_planned_from() -> None:
    desk = JobDesk()
    desk.start()
    name = by_the_previous_release(desk, plan=True)
    status = desk.job.get("status", {}) | {"startTime": "2027-01-15T07:59:00Z", "epoch": 1}
    desk.cluster.put(VIDEOJOBS, desk.job | {"status": status})
    desk.look()
    (work,) = [one for one in desk.jobs if "-work-" in one["metadata"]["name"]]
    assert {"name": "job", "configMap": {"name": name}} in work["spec"]["template"]["spec"]["volumes"]
    assert desk.cluster.names(CONFIG_MAPS) == [name]


def test_every_job_of_a_run_reads_the_file_that_it_was_planned_from_though_the_installation_has_changed() -> None:
    desk = JobDesk()
    desk.start()
    desk.look()
    (file,) = desk.cluster.names(CONFIG_MAPS)
    models = {name: replace(model, digest="sha256:" + "f" * 64) for name, model in INSTALLATION.models.items()}
    desk.use(replace(INSTALLATION, models=models))
    desk.plan()
    desk.look()
    (work,) = [one for one in desk.jobs if "-work-" in one["metadata"]["name"]]
    assert {"name": "job", "configMap": {"name": file}} in work["spec"]["template"]["spec"]["volumes"]
