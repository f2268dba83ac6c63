"""`videojob watch`, `suspend`, `resume`, `results` and `report` about jobs on a real kube-apiserver.

The controller is real and so is the table; planners, workers and servers are played.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.api_faults import ApiFaults, Refuse, Request, faulty_api
from support.cluster.processes import wait_for
from support.command import Finished, command_line
from support.controller_world import JOBS, QUICK, TEAM, ControllerWorld, controller_world
from support.controllers import kubeconfig
from support.dynamodb import AWS_ENVIRONMENT, Fault, faulty_proxy
from support.page import read_page

pytestmark = pytest.mark.timeout(300)
PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a kubeconfig, whose requests go through a proxy of their own."""

    world: ControllerWorld
    faults: ApiFaults
    environment: dict[str, str]
    folder: Path

    def types(self, *arguments: str, plugin: bool = False) -> Finished:
        """Runs a command to its end."""
        with self.starts(*arguments, plugin=plugin) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()  # nothing, when it has ended
        return Finished(process.returncode, out, err)

    def starts(self, *arguments: str, plugin: bool = False) -> subprocess.Popen[str]:
        command = command_line(*arguments)
        if plugin:
            command[0] = str(Path(command[0]).with_name("kubectl-videojob"))
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def watched(self) -> int:
        """How many watches of VideoJobs were begun."""
        return self.faults.count(lambda request: request.is_watch and request.path.endswith("/videojobs"))

    @contextmanager
    def watching(self, name: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
        """A watch that is up; killed if it is still there afterwards."""
        before = self.watched()
        process = self.starts("watch", name, "-n", TEAM, *flags)
        try:
            wait_for("the watch", lambda: self.watched() > before)
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControllerWorld]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        with controller_world(tmp_path_factory.mktemp("world")) as made, made.controller(*QUICK) as running:
            running.ready()
            yield made


@pytest.fixture
def person(world: ControllerWorld, tmp_path: Path) -> Iterator[Person]:
    world.played.works = True
    with faulty_api(str(world.client.base_url)) as faults:
        access = kubeconfig(tmp_path / "kubeconfig", faults.url, world.token)
        environment = os.environ | {
            "KUBECONFIG": str(access),
            "AWS_ENDPOINT_URL_DYNAMODB": world.table_url,
            "AWS_REGION": "eu-north-1",  # not the table's: the job says where that is
        }
        yield Person(world, faults, environment, tmp_path)


def finished(person: Person, name: str) -> str:
    """A job that has ended; returns its uid."""
    uid = person.world.start(name)
    wait_for(f"the end of {name}", lambda: person.world.has_ended(name), PATIENCE_S)
    return uid


def working(person: Person, name: str) -> None:
    """A job whose workers do nothing yet."""
    person.world.played.works = False
    person.world.start(name)
    wait_for("the workers", lambda: person.world.reason(name) == "Processing", PATIENCE_S)


def test_a_watch_shows_the_way_of_a_job_and_ends_with_it(person: Person) -> None:
    person.world.played.works = False
    person.world.start("watched")
    with person.watching("watched") as process:
        wait_for("the workers", lambda: person.world.reason("watched") == "Processing", PATIENCE_S)
        person.world.played.works = True
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    for words in ("Processing: ", "ServerReady yes", "ModelReady: ", "Completed: "):
        assert words in err
    assert out.splitlines()[0] == "Completed"
    assert "60/60 frames, 3/3 segments" in out
    assert f"videojob results watched -n {TEAM} --cluster" in out


def test_a_watch_of_a_job_that_has_ended_ends_at_once_and_tells_scripts_all_of_it(person: Person) -> None:
    uid = finished(person, "over")
    done = person.types("watch", "over", "-n", TEAM, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.document["state"] == "Completed"
    assert done.document["job"] == {"name": "over", "namespace": TEAM, "uid": uid}
    assert done.document["progress"]["frames_done"] == 60
    assert {"Probing", "Completed"} <= {one["reason"] for one in done.document["events"]}


def test_a_watch_of_a_job_that_fails_ends_with_1_and_the_reason(person: Person) -> None:
    person.world.start("wrong", model={"name": "no_such_model"})
    done = person.types("watch", "wrong", "-n", TEAM)
    assert done.code == 1
    assert done.out.splitlines()[0] == "ModelNotFound"


def test_a_watch_survives_an_api_server_that_is_away(person: Person) -> None:
    working(person, "away")

    def refuse(_request: Request) -> Refuse:
        return Refuse(503)

    with person.watching("away") as process:
        person.faults.rule = refuse
        person.faults.inject(500, "InternalError")
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("no answer from the API server, retrying" in line for line in lines)
        person.world.played.works = True
        wait_for("the end", lambda: person.world.has_ended("away"), PATIENCE_S)
        person.faults.rule = lambda _request: None
        out, err = process.communicate(timeout=PATIENCE_S)
    assert "the API server answers again" in err
    assert (process.returncode, out.splitlines()[0]) == (0, "Completed")


def test_a_watch_ends_when_its_job_is_deleted(person: Person) -> None:
    working(person, "deleted")
    with person.watching("deleted") as process:
        assert person.world.client.delete(f"{JOBS}/deleted").is_success
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "team-a/deleted was deleted while it was watched" in err


def test_ctrl_c_ends_the_watch_and_not_the_job(person: Person) -> None:
    working(person, "left")
    with person.watching("left") as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "the watch was stopped; team-a/left continues" in err
    assert not person.world.has_ended("left")


def test_a_job_is_suspended_and_resumed_and_nothing_happens_twice(person: Person) -> None:
    working(person, "held")
    first = person.types("suspend", "held", "-n", TEAM)
    wait_for("the hold", lambda: person.world.reason("held") == "Suspended", PATIENCE_S)
    generation = person.world.job("held")["metadata"]["generation"]
    second = person.types("suspend", "held", "-n", TEAM)
    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("team-a/held is suspended: ")
    assert second.out == "team-a/held was suspended already.\n"
    assert person.world.job("held")["metadata"]["generation"] == generation
    person.world.played.works = True
    let_go = person.types("resume", "held", "-n", TEAM, "--json")
    assert (let_go.code, let_go.document["changed"], let_go.document["suspend"]) == (0, True, False)
    wait_for("the end", lambda: person.world.has_ended("held"), PATIENCE_S)
    assert person.world.reason("held") == "Completed"


def test_a_job_that_ran_out_of_time_is_resumed_with_a_higher_limit_and_keeps_its_run(person: Person) -> None:
    world = person.world
    world.played.works = False
    uid = world.start("expired", activeDeadlineSeconds=3)
    wait_for("its end", lambda: world.has_ended("expired"), PATIENCE_S)
    assert world.reason("expired") == "DeadlineExceeded"
    assert "videojob resume" in world.status("expired")["message"]
    world.played.works = True
    let_go = person.types("resume", "expired", "-n", TEAM, "--active-deadline-seconds", "600")
    assert (let_go.code, let_go.out.startswith("team-a/expired resumes")) == (0, True)
    wait_for("its good end", lambda: world.reason("expired") == "Completed", PATIENCE_S)
    status = world.status("expired")
    assert (status["epoch"], status["resumes"]) == (1, 1)
    assert status["startTime"] < status["resumeTime"] <= status["completionTime"]
    assert {run for run in world.played.begun if run[0] == f"{TEAM}.{uid}"} == {(f"{TEAM}.{uid}", 1)}
    again = person.types("resume", "expired", "-n", TEAM)
    assert again.code == 2
    assert "has ended (Completed)" in again.err
    assert "Its summary is final" in again.err


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_a_job_that_has_ended_is_neither_suspended_nor_resumed(person: Person, verb: str) -> None:
    finished(person, f"ended-{verb}")
    done = person.types(verb, f"ended-{verb}", "-n", TEAM)
    assert done.code == 2
    assert f"team-a/ended-{verb} has ended (Completed): it cannot be {verb.rstrip('e')}ed" in done.err


@pytest.mark.parametrize("command", ["watch", "suspend", "resume"])
def test_a_job_that_is_not_there_is_told_with_those_that_are(person: Person, command: str) -> None:
    finished(person, f"there-{command}")
    done = person.types(command, "elsewhere", "-n", TEAM)
    assert done.code == 1
    assert "there is no VideoJob elsewhere in the namespace team-a" in done.err
    assert f"there-{command}" in done.err


def test_results_and_report_of_a_job_on_the_cluster_are_found_by_its_name(person: Person) -> None:
    finished(person, "seen")
    table = person.types("results", "seen", "-n", TEAM, "--cluster")
    assert (table.code, table.err) == (0, "")
    assert "60 frames of 1 video" in table.out
    assert person.types("results", "seen", "-n", TEAM, plugin=True).out == table.out
    summary = person.types("results", "seen", "-n", TEAM, "--cluster", "--format", "json")
    assert json.loads(summary.out)["state"] == "Completed"
    rows = person.types("results", "seen", "-n", TEAM, "--cluster", "--format", "csv")
    assert len(rows.out.splitlines()) > 2
    page = person.types("report", "seen", "-n", TEAM, "--cluster", "--to", "page.html")
    assert (page.code, page.out, page.err) == (0, "page.html\n", "")
    assert "seen" in read_page((person.folder / "page.html").read_text()).text


def test_results_are_read_by_their_keys_alone_as_a_tenant_may(person: Person) -> None:
    finished(person, "keys")
    with faulty_proxy(person.world.table_url) as proxy:
        proxy.rule = lambda operation, _before: Fault.DENY if operation not in {"GetItem", "Query"} else None
        person.environment["AWS_ENDPOINT_URL_DYNAMODB"] = proxy.url
        done = person.types("results", "keys", "-n", TEAM, "--cluster", "--format", "csv")
    assert (done.code, done.err) == (0, "")
    assert set(proxy.seen) <= {"GetItem", "Query"}


def test_results_of_a_job_that_works_say_how_to_wait_for_it(person: Person) -> None:
    working(person, "early")
    done = person.types("results", "early", "-n", TEAM, "--cluster")
    assert done.code == 1
    assert "team-a/early is Processing and has no summary yet. `videojob watch early -n team-a` waits" in done.err


def test_results_of_a_job_that_failed_say_why(person: Person) -> None:
    person.world.start("lost", model={"name": "no_such_model"})
    wait_for("the end", lambda: person.world.has_ended("lost"), PATIENCE_S)
    done = person.types(
        "results", "lost", "-n", TEAM, "--cluster", "--table", "videojob-results", "--region", "us-east-1"
    )
    assert done.code == 1
    assert re.search(r"team-a/lost has failed \(ModelNotFound\) and has no summary.*no_such_model", done.err)


def test_without_a_cluster_the_old_forms_stay(person: Person) -> None:
    done = person.types("results", "seen")
    assert done.code == 1
    assert "no results found at videojob-output/seen/results.sqlite3" in done.err
    uid = finished(person, "by-table")
    options = ("--sink", "dynamodb", "--table", "videojob-results", "--region", "us-east-1")
    found = person.types("results", "by-table", *options, "--uid", f"{TEAM}.{uid}")
    assert (found.code, found.err) == (0, "")


def test_kubectl_finds_the_plugin_and_its_usage_says_so(person: Person) -> None:
    done = person.types("watch", "--help", plugin=True)
    assert "Usage: kubectl videojob watch" in done.out


def test_names_of_jobs_are_completed_for_kubectl(person: Person) -> None:
    finished(person, "complete-me")
    code = "import sys; sys.argv = ['kubectl_complete-videojob', *sys.argv[1:]]; "
    code += "from videojob.cli.cluster.completion import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "suspend", "-n", TEAM, "compl"],
        env=person.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "complete-me\n:4\n", "")
