"""Which GPU an EC2 instance has, and so which instances may stand behind one server. PURE.

GPUs of different models give different numbers in the last bits, and engines are built for one: all replicas of a
server have one model, and so all segments of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GPU_OF_FAMILY = {
    "g3": "m60",
    "g3s": "m60",
    "g4dn": "t4",
    "g5": "a10g",
    "g5g": "t4g",
    "g6": "l4",
    "g6e": "l40s",
    "gr6": "l4",
    "p2": "k80",
    "p4d": "a100",
    "p5": "h100",
}
"""Instance family -> GPU model, as Karpenter's label `instance-gpu-name` has it. Source: Karpenter's table of instance
types; a test holds the prices' table against it."""


def gpu_models(families: Iterable[str]) -> tuple[str, ...]:
    """GPU models of instance families, each once, in their order; families that are not known are left out."""
    return tuple(dict.fromkeys(GPU_OF_FAMILY[one] for one in families if one in GPU_OF_FAMILY))


def one_gpu(instance_types: Sequence[str], offered: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The GPU model of one server, and the instance types with it.

    Args:
        instance_types: that the job allows; empty for any.
        offered: GPU models that the installation can ask nodes for, the preferred one first; empty when nodes carry no
            label that tells their GPU.

    Returns:
        (model, types): the model is "" when nodes cannot be asked for it, then the types alone keep GPUs apart. Of
        types with several models the first that is offered stays, else that of the first type by name.
    """
    if not instance_types:
        return (offered[0] if offered else ""), ()
    by_gpu: dict[str, list[str]] = {}
    for one in sorted(instance_types):
        family = one.partition(".")[0]
        # Of a family that is not known all have the same GPU.
        by_gpu.setdefault(GPU_OF_FAMILY.get(family, family), []).append(one)
    chosen = next((model for model in offered if model in by_gpu), next(iter(by_gpu)))
    is_label = bool(offered) and chosen in GPU_OF_FAMILY.values()
    return (chosen if is_label else ""), tuple(by_gpu[chosen])
