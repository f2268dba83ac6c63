"""The few pods of a Job that can tell why it does not go on: as many at the most, however many it has had.

A Job keeps the pods that have ended. Of a recording of 12 hours there are 1,400, and whoever reads them all for one
that does not start pays for them at each reconcile. The API server leaves out those that ended well; of the others the
first few say the same as all.
"""

from __future__ import annotations

import re

from videojob.kube.kinds import EVENTS, NAMESPACES, PODS
from videojob.kube.names import JOB_UID
from videojob.kube.read.objects import NOT_MADE, lingers, may_lack_pods
from videojob.ports.cluster import Cluster, Object

MOST_PODS = 20
"""Of one Job and in one state."""
_LIVE = 3
_MOST_EVENTS = 100
_JOB_NAME = "batch.kubernetes.io/job-name"
_INDEX = "batch.kubernetes.io/job-completion-index"
_NOT_GOING = "status.phase!=Succeeded,status.phase!=Running"
_FAILED_POD = re.compile(r" for pod [^/\s]+/(\S+) failed ")
"""In the message of a Job that ended by its pod failure policy: whose exit code it was."""


def telling_pods(cluster: Cluster, namespace: str, job: Object) -> list[Object]:
    """Pods of a Job that wait, those that failed, and one that runs if none of its pods waits.

    Of those that failed for a Job that is over, the ones by which it ended. Raises ClusterError.
    """
    metadata, status = job["metadata"], job.get("status", {})
    mine = f"{JOB_UID}={metadata['labels'][JOB_UID]},{_JOB_NAME}={metadata['name']}"
    culprits = _culprits(cluster, namespace, job, mine)
    if culprits:
        return culprits
    found = list(cluster.list(PODS, namespace, labels=mine, fields=_NOT_GOING, most=MOST_PODS))
    waiting = any(map(_waits, found))
    if len(found) == MOST_PODS and not waiting:  # those that failed may hide it
        found += cluster.list(PODS, namespace, labels=mine, fields="status.phase=Pending", most=MOST_PODS)
        waiting = len(found) > MOST_PODS
    if status.get("active", 0) and not waiting:
        found += cluster.list(PODS, namespace, labels=mine, fields="status.phase=Running", most=_LIVE)
    return found


def _culprits(cluster: Cluster, namespace: str, job: Object, mine: str) -> list[Object]:
    """The pods by which a Job failed, as far as its status names them."""
    status = job.get("status", {})
    messages = [str(one.get("message", "")) for one in status.get("conditions", ()) if one["type"] == "Failed"]
    named = next((found[1] for text in messages if (found := _FAILED_POD.search(text))), None)
    if named is not None:
        pod = cluster.get(PODS, namespace, named)
        return [] if pod is None else [pod]
    index = re.match(r"\d+", str(status.get("failedIndexes", "")))
    if not messages or index is None:
        return []
    labels = f"{mine},{_INDEX}={index[0]}"
    return list(cluster.list(PODS, namespace, labels=labels, fields="status.phase=Failed", most=MOST_PODS))


def _waits(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") != "Failed")


def job_events(cluster: Cluster, namespace: str, job: Object, pods: list[Object]) -> list[Object]:
    """Events about a Job's pods that found no place, and about the Job if no pod of it could be made."""
    found = pod_events(cluster, namespace, pods)
    if may_lack_pods(job):
        fields = f"involvedObject.uid={job['metadata']['uid']},reason={NOT_MADE}"
        found.extend(cluster.list(EVENTS, namespace, fields=fields, most=_MOST_EVENTS))
    return found


def pod_events(cluster: Cluster, namespace: str, pods: list[Object]) -> list[Object]:
    """Events about pods that found no place; those of all others tell nothing that their status does not."""
    for pod in pods:
        conditions = pod.get("status", {}).get("conditions", ())
        if any(one["type"] == "PodScheduled" and one["status"] == "False" for one in conditions):
            # What refuses one of a Job's pods refuses the others.
            fields = f"involvedObject.uid={pod['metadata']['uid']}"
            return list(cluster.list(EVENTS, namespace, fields=fields, most=_MOST_EVENTS))
    return []


def holds_namespace(cluster: Cluster, namespace: str, pods: list[Object]) -> bool:
    """Whether the namespace is being deleted and waits for one of these pods."""
    if not any(map(lingers, pods)):
        return False
    found = cluster.get(NAMESPACES, None, namespace)
    return found is not None and "deletionTimestamp" in found["metadata"]
