"""A server's reason out of the end of its log. Real logs of 2.51 are in tests/functional/test_triton_pods.py; here are
the formats that it does not write: other versions', cut ones, and those of other programs in a pod.
"""

from __future__ import annotations

import pytest

from videojob.kube.read.triton_log import triton_words

GLOG = "E1124 11:00:00.123456 1 "
ISO = "2026-11-24T12:18:00Z E 1 "
TABLE = "+---------------+---------+--------+\n| Model         | Version | Status |\n"
MEMORY = "Exception during initialization: CUDA error 2: out of memory"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            (
                f"{TABLE}I1124 11:00:00.000000 1 server.cc:305] Waiting for in-flight requests to complete.\n"
                "error: creating server: Internal - load failed for model 'cars': version 1 is at UNAVAILABLE state: "
                f"Internal: onnx runtime error 6: {MEMORY};\n\n"
            ),
            f"onnx runtime error 6: {MEMORY}",
        ),
        (
            (
                f"rest of a line\" that was cut\n{ISO}model_lifecycle.cc:642] \"failed to load 'cars' version 1: "
                'Invalid argument: say \\"1\\", not \\"one\\"\\nat once"\n'
            ),
            'say "1", not "one" at once',
        ),
        (
            (
                f"{GLOG}server.cc:241] CudaDriverHelper has not been initialized.\n"
                f"{GLOG}model_repository_manager.cc:1460] Poll failed for model directory 'cars': no text proto\n"
                "error: creating server: Internal - failed to load all models\n"
            ),
            "no text proto",
        ),
        (
            f"{GLOG}model.cc:1] the disk is full\n{GLOG}model.cc:1] the disk is full\n{GLOG}model.cc:2] giving up\n",
            "the disk is full / giving up",
        ),
        (
            "Signal (11) received.\n 0# 0x000055D0 in tritonserver\n 1# 0x00007F in libc.so.6\n",
            "Signal (11) received.",
        ),
        ("error: port 8000 is taken\n", "port 8000 is taken"),
        (f'{ISO}server.cc:241] "CudaDriverHelper has not been initialized."\n', ""),
        (
            "cp: cannot stat '/models': No such file or directory\n",
            "cp: cannot stat '/models': No such file or directory",
        ),
        ("one\ntwo\n\nthree\nfour\n", "two / three / four"),
        ("\n \n", ""),
    ],
)
def test_the_reason_is_found(log: str, words: str) -> None:
    assert triton_words(log) == words


def test_what_is_endless_is_cut() -> None:
    assert len(triton_words("error: " + "x" * 5000)) == 1000
