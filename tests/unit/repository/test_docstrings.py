"""Every public method says what it does, or the class says it whose method it implements."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import videojob

INSIDE_TRITON = "videojob.adapters.triton.shim."
"""What runs in Triton's own Python, with modules that are nowhere else."""


def test_every_public_method_is_described_in_its_class_or_where_it_is_declared() -> None:
    missing = []
    for module in pkgutil.walk_packages(videojob.__path__, "videojob."):
        if module.name.startswith(INSIDE_TRITON):
            continue
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if found.__module__ != module.name or found.__name__.startswith("_"):
                continue
            for name, member in vars(found).items():
                is_method = inspect.isfunction(member) or isinstance(member, property | staticmethod | classmethod)
                if is_method and not name.startswith("_") and not inspect.getdoc(getattr(found, name)):
                    missing.append(f"{module.name}.{found.__qualname__}.{name}")
    assert missing == []
