"""Runs variants in processes of their own and collects their samples."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.clips import ROOT
from bench.measure import DISTURBED_SHARE, interleaved, paired
from bench.tasks import Sample, Task

_LIMIT_S = 900.0


class VariantFailed(Exception):
    """A measured process ended without a sample, or left frames out; the message has the end of its stderr."""


def run(variant: str, task: Task) -> Sample:
    """One run of one variant, in a process of its own; repeated as the task's patience says.

    Raises:
        VariantFailed: it ended without a sample.
    """
    best = _run_once(variant, task)
    for _ in range(task.patience):
        if best.others_share < DISTURBED_SHARE:
            break
        again = _run_once(variant, task)
        best = min(best, again, key=lambda sample: sample.others_share)
    return best


def _run_once(variant: str, task: Task) -> Sample:
    with tempfile.TemporaryDirectory(prefix="videojob-bench-") as folder:
        scratch = Path(folder)
        task_path, sample_path, log_path = (scratch / name for name in ("task.json", "sample.json", "log.txt"))
        task_path.write_text(json.dumps(replace(task, scratch=scratch).as_dict()), encoding="utf-8")
        command = [sys.executable, "-m", "bench.child", variant, str(task_path), str(sample_path)]
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                process.wait(_LIMIT_S)
            except subprocess.TimeoutExpired as error:
                raise VariantFailed(f"{variant} took longer than {_LIMIT_S:.0f} s\n{_tail(log_path)}") from error
            finally:
                process.kill()
                process.wait()
        if not sample_path.is_file():
            raise VariantFailed(f"{variant} ended with code {process.returncode}\n{_tail(log_path)}")
        sample = Sample(**json.loads(sample_path.read_text(encoding="utf-8")))
        if sample.frames % task.frames:
            raise VariantFailed(f"{variant} processed {sample.frames} frames of {task.frames}\n{_tail(log_path)}")
        return sample


def compare(
    ours: str, peers: Sequence[str], task: Task, rounds: int, run: Callable[[str, Task], Sample] = run
) -> Interleaved:
    """Runs ours and its peers in A-B-B-A order and says each run on stderr; a peer that fails is left out from then on.

    Args:
        ours: what is compared.
        peers: with what.
        task: for all of them.
        rounds: how often they are gone through.
        run: measures one run of one variant.

    Raises:
        VariantFailed: ours failed, so that there is nothing to compare with.
    """
    order = interleaved(ours, peers, rounds)
    samples: list[Sample | None] = []
    failed: dict[str, str] = {}
    for number, name in enumerate(order, 1):
        if name in failed:
            samples.append(None)
            continue
        try:
            sample = run(name, task)
        except VariantFailed as error:
            if name == ours:
                raise
            failed[name] = str(error)
            samples.append(None)
            print(f"  {number}/{len(order)} {task.clip.stem} {name}: FAILED: {error}", file=sys.stderr, flush=True)
            continue
        samples.append(sample)
        print(
            f"  {number}/{len(order)} {task.clip.stem} {name}: {sample.frames_per_s:.1f} frames/s, "
            f"{sample.cpu_ms_per_frame:.2f} CPU-ms per frame, others took {sample.others_share:.0%}",
            file=sys.stderr,
            flush=True,
        )
    return Interleaved(ours, tuple(order), tuple(samples), failed)


class Interleaved:
    """The samples of one interleaved series; `failed` says of peers that have none why."""

    def __init__(
        self, ours: str, order: tuple[str, ...], samples: tuple[Sample | None, ...], failed: Mapping[str, str]
    ) -> None:
        self._ours = ours
        self._order = order
        self._samples = samples
        self.failed = failed

    def of(self, variant: str) -> list[Sample]:
        """All samples of one variant."""
        both = zip(self._order, self._samples, strict=True)
        return [sample for name, sample in both if name == variant and sample is not None]

    def others_share(self, peer: str) -> float:
        """The most that others took of the machine in a run of this peer or of ours."""
        return max(sample.others_share for sample in (*self.of(peer), *self.of(self._ours)))

    def rates(self, peer: str) -> list[tuple[float, float]]:
        """(ours, peer) frames per second of neighbouring runs."""
        return self._paired(peer, [0.0 if one is None else one.frames_per_s for one in self._samples])

    def cpu_costs(self, peer: str) -> list[tuple[float, float]]:
        """(ours, peer) CPU-ms per frame of neighbouring runs."""
        return self._paired(peer, [0.0 if one is None else one.cpu_ms_per_frame for one in self._samples])

    def _paired(self, peer: str, figures: Sequence[float]) -> list[tuple[float, float]]:
        if peer in self.failed:
            raise ValueError(f"{peer} failed: it has no figures")
        return paired(self._ours, self._order, figures)[peer]


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:])
