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
    CommandEntry("results", f"{_CLI}.results.results", "results", "Show what a finished run found, or delete it."),
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
        "Watch a VideoJob on the cluster until it ends; ends with the exit code that `run` would have.",
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
        "Hold a VideoJob on the cluster: its pods go, finished segments stay.",
    ),
    CommandEntry(
        "resume",
        f"{_CLI}.cluster.suspend",
        "resume",
        "Let a VideoJob on the cluster go on that is held, or that failed: finished segments stay.",
    ),
    CommandEntry(
        "doctor",
        f"{_CLI}.cluster.doctor",
        "doctor",
        "Check a cluster: installation, rights, nodes, identity, table, models, quota, monitoring.",
    ),
    CommandEntry(
        "validate",
        f"{_CLI}.laptop.validate",
        "validate",
        "Check manifests without starting anything; names file, line, field, what is wrong and what would be right.",
    ),
    CommandEntry("crd", f"{_CLI}.programs.crd", "crd", "Print the CustomResourceDefinition, for `kubectl apply -f -`."),
    CommandEntry("version", f"{_CLI}.version", "version", "Print the version."),
    CommandEntry("models", f"{_CLI}.laptop.models", "app", "The models that can be run on this machine."),
    CommandEntry("worker", f"{_CLI}.programs.worker", "app", "What runs in a job's pods on a cluster.", hidden=True),
    CommandEntry(
        "controller",
        f"{_CLI}.programs.controller",
        "controller",
        "Run the operator: watches VideoJobs and brings each to its end.",
        hidden=True,
        extra="controller",
    ),
    CommandEntry(
        "stop-servers",
        f"{_CLI}.programs.stop_servers",
        "stop_servers",
        "Scale inference servers to zero when no controller has renewed its Lease for long.",
        hidden=True,
        extra="controller",
    ),
)


class MainCommands(LazyGroup):
    """All of them."""

    ENTRIES = COMMANDS
