"""One real node on this machine: containerd, kubelet, kube-proxy and CoreDNS, in namespaces of their own.

Network, mounts and processes of the node live and die with one process: when it ends, whatever way, the kernel takes
bridges, rules, mounts, containers and all with it. What no namespace covers (cgroups) is removed by hand.

The cluster's addresses are the same on every machine, so there can be one such node at a time: `_LOCK` guards that.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.cluster.control_plane import NODE, POD_RANGE, Cluster, kube_tools
from support.cluster.processes import Failed, demand_alive, run, wait_for

HOST_ADDRESS = "10.245.0.1"
NODE_ADDRESS = "10.245.0.2"
_BRIDGE_RANGE = "10.244.0.0/24"
LINK, _PEER = "vj-host", "vj-node"
_LOCK = Path("/run/lock/videojob-cluster.lock")
_CGROUP = "videojob-tests"
_CGROUPS = Path("/sys/fs/cgroup")
_NEEDED = ("containerd", "ctr", "runc", "unshare", "nsenter", "ip", "nft", "buildah")
_MOST_PATH_CHARACTERS = 107 - len("/kubelet/pod-resources/4294967295")  # a socket's address has 108 bytes
_CNI_PLUGINS = Path("/usr/lib/cni")
# As process 1 of its namespace it has to take in the orphans of containerd; a shell does.
_HOLDER = """
for place in /run /var/lib/cni /var/log; do mkdir -p $place; mount -t tmpfs tmpfs $place; done
echo up
while :; do sleep 86400 & wait -n; done
"""


def missing() -> str:
    """What this machine lacks to run a node, in one line; "" when nothing."""
    if os.name != "posix" or os.uname().sysname != "Linux":
        return "a real node needs Linux"
    if os.geteuid() != 0:
        return "a real node needs root"
    lacking = [name for name in _NEEDED if shutil.which(name) is None]
    if not (_CNI_PLUGINS / "bridge").is_file():
        lacking.append("containernetworking-plugins")
    return f"a real node needs: {', '.join(lacking)} (scripts/e2e-packages installs them)" if lacking else ""


@dataclass(frozen=True, slots=True)
class Node:
    """A running node.

    Attributes:
        folder: for everything of it.
        holder: process id that holds its namespaces.
        commands: command lines of its programs. programs: those that run.
    """

    folder: Path
    holder: int
    commands: dict[str, list[str]] = field(default_factory=dict)
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The command line that runs something in the node's namespaces."""
        enter = ["nsenter", f"--target={self.holder}", "--net", "--mount", "--pid"]
        return [*enter, "--", *map(str, command)]

    def kill(self, name: str) -> None:
        """kill -9 of one of the node's programs; `start` brings it back."""
        program = self.programs.pop(name)
        for pid in _children(program.pid):
            os.kill(pid, signal.SIGKILL)
        program.wait()

    def start(self, name: str) -> None:
        """Starts one of the node's programs."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            self.programs[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.inside(self.commands[name])],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        demand_alive(self.programs[name], name, log)

    @property
    def socket(self) -> Path:
        """Of containerd."""
        return self.folder / "containerd.sock"

    def import_image(self, archive: Path) -> None:
        """Makes an image known to the node, under the names in its archive."""
        run(["ctr", "--address", self.socket, "--namespace", "k8s.io", "images", "import", archive], timeout_s=600)


@contextmanager
def network() -> Iterator[subprocess.Popen[bytes]]:
    """The node's namespaces, tied to this machine by a pair of interfaces; yields their holder."""
    with _alone():
        setpriv = ["setpriv", "--pdeathsig", "KILL"]
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        holder = subprocess.Popen(
            [*setpriv, *unshare, "--", "bash", "-c", _HOLDER], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        try:
            assert holder.stdout is not None
            if holder.stdout.readline().strip() != b"up":
                raise Failed(f"the node's namespaces could not be made: {holder.poll()}")
            _connect(_inner(holder.pid))
            yield holder
        finally:
            holder.kill()
            holder.wait()
            if holder.stdout is not None:
                holder.stdout.close()
            _remove_cgroups()


def _inner(unshare_pid: int) -> int:
    """The child of `unshare`, which is process 1 of the new namespace."""
    return _children(unshare_pid)[0]


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _connect(pid: int) -> None:
    subprocess.run(["ip", "link", "delete", LINK], capture_output=True, check=False)  # of a run that was killed
    run(["ip", "link", "add", LINK, "type", "veth", "peer", "name", _PEER, "netns", str(pid)])
    run(["ip", "addr", "add", f"{HOST_ADDRESS}/30", "dev", LINK])
    run(["ip", "link", "set", LINK, "up"])
    inside = ["nsenter", f"--target={pid}", "--net", "--"]
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "addr", "add", f"{NODE_ADDRESS}/30", "dev", _PEER],
        ["ip", "link", "set", _PEER, "up"],
        ["ip", "route", "add", "default", "via", HOST_ADDRESS],
        ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"],
    ):
        run([*inside, *command])
    for target in (POD_RANGE, "10.96.0.0/16"):
        run(["ip", "route", "replace", target, "via", NODE_ADDRESS, "dev", LINK])


@contextmanager
def real_node(cluster: Cluster, holder: subprocess.Popen[bytes], pause: Path) -> Iterator[Node]:
    """Starts the node's programs and waits until it is Ready.

    Args:
        cluster: that it joins; its API server listens on HOST_ADDRESS.
        holder: of its namespaces, see `network`.
        pause: archive of the image that holds a pod's namespaces, named as `PAUSE_IMAGE`.
    """
    folder = cluster.folder / "node"
    if len(str(folder)) > _MOST_PATH_CHARACTERS:
        raise Failed(f"the folder {folder} has too long a name for the kubelet's sockets: take a shorter one")
    folder.mkdir()
    programs = kube_tools("kubelet", "kube-proxy", "coredns")
    node = Node(folder, _inner(holder.pid))
    _make_cgroups()
    _write_configs(cluster, folder)
    node.commands["containerd"] = ["containerd", "--config", str(folder / "containerd.toml")]
    node.commands["coredns"] = [str(programs / "coredns"), "-conf", str(folder / "Corefile")]
    node.commands["kube-proxy"] = [str(programs / "kube-proxy"), f"--config={folder / 'kube-proxy.yaml'}"]
    node.commands["kubelet"] = [
        str(programs / "kubelet"),
        f"--config={folder / 'kubelet.yaml'}",
        f"--kubeconfig={cluster.kubeconfig_of('kubelet')}",
        f"--root-dir={folder / 'kubelet'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    ]
    try:
        node.start("containerd")
        wait_for("containerd", lambda: _answers(node))
        node.import_image(pause)
        for name in ("coredns", "kube-proxy", "kubelet"):
            node.start(name)
        wait_for(f"node {NODE} (kubelet: {folder / 'kubelet.log'})", lambda: _is_ready(cluster))
        yield node
    finally:
        # All at once, and all that they started: nothing in these namespaces is worth an orderly end.
        os.kill(node.holder, signal.SIGKILL)
        for program in node.programs.values():
            program.kill()
            program.wait()


def _answers(node: Node) -> bool:
    done = subprocess.run(["ctr", "--address", str(node.socket), "version"], capture_output=True, check=False)
    return done.returncode == 0


def _is_ready(cluster: Cluster) -> bool:
    answer = cluster.client.get(f"/api/v1/nodes/{NODE}")
    conditions = answer.json().get("status", {}).get("conditions", ()) if answer.is_success else ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _write_configs(cluster: Cluster, folder: Path) -> None:
    (folder / "containerd.toml").write_text(_containerd(folder))
    cni = folder / "cni"
    cni.mkdir()
    (cni / "10-bridge.conflist").write_text(json.dumps(_CNI | {"plugins": _cni_plugins(folder)}))
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(cluster, folder)))
    (folder / "kube-proxy.yaml").write_text(yaml.safe_dump(_kube_proxy(cluster)))
    (folder / "Corefile").write_text(_corefile(cluster))


PAUSE_IMAGE = "localhost/videojob-tests/pause:1"
_CNI: dict[str, Any] = {"cniVersion": "1.0.0", "name": "tests"}


def _cni_plugins(folder: Path) -> list[dict[str, Any]]:
    ranges = [[{"subnet": _BRIDGE_RANGE}]]
    bridge = {
        "type": "bridge",
        "bridge": "vj-cni",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(folder / "ipam"),
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]


def _containerd(folder: Path) -> str:
    # `restrict_oom_score_adj`: without CAP_SYS_RESOURCE a lower score may not be asked for, and runc would fail.
    return f"""version = 2
root = "{folder / "containerd"}"
state = "{folder / "containerd-state"}"
[grpc]
  address = "{folder / "containerd.sock"}"
[ttrpc]
  address = "{folder / "containerd.sock.ttrpc"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{_CNI_PLUGINS}"
  conf_dir = "{folder / "cni"}"
"""


def _kubelet(cluster: Cluster, folder: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(cluster.folder / "certificates" / "ca.crt")},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "address": NODE_ADDRESS,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{folder / 'containerd.sock'}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{_CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "resolvConf": "/dev/null",
        "clusterDNS": [NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(folder / "logs"),
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": True,
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "10s",
        "syncFrequency": "5s",
        "serializeImagePulls": False,
        "maxPods": 110,
        "shutdownGracePeriod": "0s",
    }


def _kube_proxy(cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(cluster.kubeconfig_of("kube-proxy"))},
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": NODE,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
        # Pods of one bridge answer each other directly, past the translation: so even they are translated twice.
        "nftables": {"masqueradeAll": True, "syncPeriod": "5s", "minSyncPeriod": "0.2s"},
    }


def _corefile(cluster: Cluster) -> str:
    return f""".:53 {{
  bind {NODE_ADDRESS}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {cluster.kubeconfig_of("coredns")} tests
    pods insecure
    ttl 2
  }}
}}
"""


@contextmanager
def _alone() -> Iterator[None]:
    """Waits until no other cluster with these addresses is up; says who holds it."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            print(f"waiting for the cluster of process {lock.read().strip()}", flush=True)  # noqa: T201 - for a person
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"{os.getpid()}")
        lock.flush()
        yield


def _make_cgroups() -> None:
    """kubelet wants its root to be there in every hierarchy."""
    for hierarchy in _hierarchies():
        folder = hierarchy / _CGROUP
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (folder / name).exists() and not (folder / name).read_text().strip():
                (folder / name).write_text((hierarchy / name).read_text())


def _hierarchies() -> list[Path]:
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if (path / "tasks").exists()]


def left_cgroups() -> list[Path]:
    """Cgroups of nodes while no node is up: their name is the same for every node, so that one that is up has them."""
    found = [hierarchy / _CGROUP for hierarchy in _hierarchies() if (hierarchy / _CGROUP).exists()]
    with _LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return []
    return found


def _remove_cgroups() -> None:
    for hierarchy in _hierarchies():
        top = hierarchy / _CGROUP
        if not top.exists():
            continue
        folders = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for folder in [*folders, top]:
            _remove_cgroup(folder)


def _remove_cgroup(folder: Path) -> None:
    """Its last process may still be on its way out."""
    deadline_s = time.monotonic() + 10
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline_s or not folder.exists():
                return
            time.sleep(0.05)
        else:
            return


__all__ = [
    "HOST_ADDRESS",
    "LINK",
    "NODE_ADDRESS",
    "PAUSE_IMAGE",
    "Node",
    "left_cgroups",
    "missing",
    "network",
    "real_node",
]
