"""The commands of `videojob`, each with the module that is imported when it is run."""

from __future__ import annotations

from videojob.cli.lazy import CommandEntry, LazyGroup

_CLI = "videojob.cli"
COMMANDS = (
    CommandEntry(
        "run",
        f"{_CLI}.laptop.run",
        "run",
        "Run a manifest, or videos without one, on this machine; run it again to continue where it stopped.",
    ),
    CommandEntry(
        "estimate",
        f"{_CLI}.laptop.estimate",
        "estimate",
        "Estimate what a job would cost on a cluster, when it would end and on which hardware; starts nothing.",
    ),
    CommandEntry("results", f"{_CLI}.results.results", "results", "Show or delete the results of a finished run."),
    CommandEntry(
        "report",
        f"{_CLI}.results.results",
        "report",
        "Write the report of a finished run: one HTML file that needs nothing else.",
    ),
    CommandEntry(
        "watch",
        f"{_CLI}.cluster.watch",
        "watch",
        "Watch a VideoJob on the cluster until it ends; the exit code is that of `run`.",
    ),
    CommandEntry(
        "logs",
        f"{_CLI}.cluster.logs",
        "logs",
        "Show the logs of a VideoJob's pods on the cluster, and of the inference server that they use.",
    ),
    CommandEntry(
        "suspend",
        f"{_CLI}.cluster.suspend",
        "suspend",
        "Suspend a VideoJob on the cluster: its pods terminate, finished segments are kept.",
    ),
    CommandEntry(
        "resume",
        f"{_CLI}.cluster.suspend",
        "resume",
        "Resume a suspended or failed VideoJob on the cluster; finished segments are kept.",
    ),
    CommandEntry(
        "doctor",
        f"{_CLI}.cluster.doctor",
        "doctor",
        "Check a cluster: installation, rights, nodes, identity, table, models, quota, monitoring.",
        extra="cluster",
    ),
    CommandEntry(
        "profile",
        f"{_CLI}.laptop.profile",
        "profile",
        "Measure this machine with a model: what limits it, the best batch, frames/s, $ per million frames.",
    ),
    CommandEntry(
        "speeds",
        f"{_CLI}.cluster.speeds",
        "app",
        "What a cluster has measured: speeds of models and decoding.",
        extra="cluster",
    ),
    CommandEntry(
        "validate",
        f"{_CLI}.laptop.validate",
        "validate",
        "Check manifests without running them; every problem comes with its line and what would be right.",
    ),
    CommandEntry("crd", f"{_CLI}.programs.crd", "crd", "Print the CustomResourceDefinition, for `kubectl apply -f -`."),
    CommandEntry("version", f"{_CLI}.version", "version", "Print the version."),
    CommandEntry("models", f"{_CLI}.laptop.models", "app", "The models that can be run on this machine."),
    CommandEntry(
        "worker", f"{_CLI}.programs.worker", "app", "Commands that run in a job's pods on a cluster.", hidden=True
    ),
    CommandEntry(
        "controller",
        f"{_CLI}.programs.controller",
        "controller",
        "Run the controller, which reconciles VideoJobs and their inference servers.",
        hidden=True,
        extra="controller",
    ),
    CommandEntry(
        "stop-servers",
        f"{_CLI}.programs.stop_servers",
        "stop_servers",
        "Scale inference servers to zero when no controller has renewed its Lease in time.",
        hidden=True,
        extra="controller",
    ),
)


class MainCommands(LazyGroup):
    """All of them."""

    ENTRIES = COMMANDS
