"""Controllers as processes of their own, and what tests ask them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support.cluster.processes import free_ports
from support.dynamodb import AWS_ENVIRONMENT
from support.previous_release import Release

PATIENCE_S = 60.0
ENDS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class RunningController:
    """A controller's process.

    Attributes:
        http: talks to its port.
    """

    process: subprocess.Popen[bytes]
    log: Path
    http: httpx.Client

    def wait(self, what: str, look: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + patience_s
        while not look():
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, f"{what} did not come: {self.log.read_text()[-4000:]}"
            time.sleep(0.1)

    def ok(self, path: str) -> bool:
        try:
            return self.http.get(path).is_success
        except httpx.TransportError:
            return False

    def ready(self) -> None:
        self.wait("readiness", lambda: self.ok("/readyz"))

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        found = re.findall(rf"^{name}({{[^}}]*}})? (\S+)$", self.http.get("/metrics").text, re.MULTILINE)
        return sum(
            float(value)
            for about, value in found
            if all(f'{label}="{wanted}"' in about for label, wanted in labels.items())
        )

    def looks(self, outcome: str) -> float:
        """How often it has looked at a job with this outcome."""
        return self.metric("videojob_reconciles_total", kind="job", outcome=outcome)

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def kubeconfig(path: Path, server: str, token: str) -> Path:
    """A kubeconfig for a server whose certificate is not asked for."""
    values = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "tests", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    }
    path.write_text(json.dumps(values))
    path.chmod(0o600)
    return path


@contextmanager
def running_controller(
    config: Path,
    kubeconfig: Path,
    table_url: str,
    log: Path,
    *flags: str,
    ends_well: bool = True,
    clock_ahead_s: float = 0.0,
    release: Release | None = None,
) -> Iterator[RunningController]:
    """A controller as the chart's Deployment runs it; asked to end with the block.

    Args:
        config: its configuration.
        kubeconfig: by which it finds the cluster.
        table_url: of DynamoDB.
        log: where its words go.
        flags: further arguments.
        ends_well: demand that it ends in time, with 0 and without a traceback, unless it ended before.
        clock_ahead_s: how wrong its clock is.
        release: another one than this.
    """
    (port,) = free_ports(1)
    arguments = [f"--config={config}", f"--kubeconfig={kubeconfig}", f"--port={port}", *flags]
    environment: Mapping[str, str] = (
        os.environ
        | AWS_ENVIRONMENT
        | {
            "AWS_ENDPOINT_URL_DYNAMODB": table_url,
            "AWS_REGION": "us-east-1",
        }
    )
    program: list[str | Path] = [Path(sys.executable).with_name("videojob")]
    if clock_ahead_s:
        program = [sys.executable, Path(__file__).with_name("wrong_clock.py"), str(clock_ahead_s)]
    if release is not None:
        program, environment = list(release.program), {**environment, **release.environment}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*program, "controller", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
        try:
            yield RunningController(process, log, http)
        finally:
            was_alive = process.poll() is None
            process.terminate()
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if was_alive and ends_well:
        assert process.returncode == 0, log.read_text()[-4000:]
        assert "Traceback" not in log.read_text(), log.read_text()[-4000:]
