"""Runs one tiny VideoJob to its end: what `helm test` does. It runs in the project's own image, as a pod's command.

With the trial's S3 it makes a clip of two seconds and puts it there first; else `VIDEO_BUCKET` and `VIDEO_KEY` name a
video. Every change of the job's state becomes a line; the exit code is 0 only when the job succeeded. The job is
deleted either way, its results stay in the table.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import boto3
import httpx
import numpy as np

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TRIAL_BUCKET, TRIAL_KEY = "helm-test", "clip.mp4"


def tell(line: str) -> None:
    """One line of the pod's log."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def make_clip() -> bytes:
    """Two seconds of a moving gradient, 320x240, 12 frames a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12, options={"g": "12"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index in range(24):
            row = (np.arange(320) + 8 * index) % 256
            picture = np.broadcast_to(row[None, :, None], (240, 320, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def video() -> tuple[str, str]:
    """Bucket and key of the video; made when none is named."""
    bucket, key = os.environ.get("VIDEO_BUCKET"), os.environ.get("VIDEO_KEY")
    if bucket and key:
        return bucket, key
    client = boto3.client("s3")
    client.create_bucket(Bucket=TRIAL_BUCKET)
    client.put_object(Bucket=TRIAL_BUCKET, Key=TRIAL_KEY, Body=make_clip())
    tell(f"made s3://{TRIAL_BUCKET}/{TRIAL_KEY}")
    return TRIAL_BUCKET, TRIAL_KEY


def manifest(bucket: str, key: str, timeout_s: int) -> dict[str, Any]:
    """The VideoJob."""
    return {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"generateName": "helm-test-"},
        "spec": {
            "inputs": [{"s3": {"bucket": bucket, "key": key}}],
            "model": {"name": os.environ["MODEL"]},
            "compute": {"accelerator": os.environ["ACCELERATOR"]},
            "activeDeadlineSeconds": timeout_s,
            "ttlSecondsAfterFinished": timeout_s,
        },
    }


def succeeded(job: dict[str, Any]) -> dict[str, str]:
    """The condition Succeeded, or an empty one."""
    conditions = job.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == "Succeeded"), {})


def states(client: httpx.Client, path: str, name: str, timeout_s: int) -> Iterator[dict[str, str]]:
    """The condition Succeeded of a job, each time that the job changes, until the time is over."""
    parameters: dict[str, str | int] = {
        "fieldSelector": f"metadata.name={name}",
        "watch": "true",
        "timeoutSeconds": timeout_s,
    }
    with client.stream("GET", path, params=parameters, timeout=httpx.Timeout(30, read=None)) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            event = json.loads(line)
            if event["type"] in {"ADDED", "MODIFIED"}:
                yield succeeded(event["object"])


def follow(client: httpx.Client, path: str, name: str, timeout_s: int) -> bool:
    """Whether the job came to a good end in time."""
    last = ""
    for state in states(client, path, name, timeout_s):
        line = f"{name}: {state.get('reason', 'not seen by the controller yet')} {state.get('message', '')}".rstrip()
        if line != last:
            tell(line)
            last = line
        if state.get("status") in {"True", "False"}:
            return state["status"] == "True"
    tell(f"{name} did not end within {timeout_s} s")
    return False


def main() -> int:
    """0 when the job succeeded."""
    timeout_s = int(os.environ["TIMEOUT_S"])
    path = f"/apis/videojob.dev/v1alpha1/namespaces/{os.environ['POD_NAMESPACE']}/videojobs"
    address = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    if ":" in os.environ["KUBERNETES_SERVICE_HOST"]:
        address = f"https://[{os.environ['KUBERNETES_SERVICE_HOST']}]:{os.environ['KUBERNETES_SERVICE_PORT']}"
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"}
    bucket, key = video()
    with httpx.Client(base_url=address, headers=headers, verify=str(ACCOUNT / "ca.crt"), timeout=30) as client:
        answer = client.post(path, json=manifest(bucket, key, timeout_s))
        if answer.is_error:
            tell(f"the VideoJob was refused: {answer.text}")
            return 1
        name = answer.json()["metadata"]["name"]
        try:
            return 0 if follow(client, path, name, timeout_s) else 1
        finally:
            client.delete(f"{path}/{name}", params={"propagationPolicy": "Background"})


if __name__ == "__main__":
    sys.exit(main())
