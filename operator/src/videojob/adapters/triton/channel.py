"""The gRPC channel to a Triton, and the calls that are not inference."""

from __future__ import annotations

import ipaddress
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import service_pb2

from videojob.adapters.triton.policy import RetryPolicy, details, final_error, is_no_grpc, is_passing
from videojob.ports.inference import ServerStatistics

_LOG = logging.getLogger(__name__)
_SERVICE = "/inference.GRPCInferenceService/"
_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_RESTRICTED = "restricted"

# tritonclient's own `channel_args` would replace its defaults instead of adding to them; everything is said here.
_CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A pod that vanished without a word is noticed within a minute; Triton takes pings every five minutes without data
    # and any number with open calls.
    ("grpc.keepalive_time_ms", 40_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # One connection per process and per pod of the service: a new pod gets its share, a shared one hides nothing.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.service_config", _SERVICE_CONFIG),
    # A name is asked for again when a connection ends; this is the least time between two questions, 30 s by default.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
)


@dataclass(frozen=True, slots=True)
class TritonOptions:
    """How to talk to a server.

    Attributes:
        headers: metadata for every call, as the embedded server's secret.
        shared_memory: use the server's system shared memory when it runs on this host and lets us.
        call_timeout_s: deadline of one attempt.
        connect_timeout_s: how long `connect` waits for the server and its model.
        renew_after_s: without any answer for so long, the connection is recreated: gRPC looks up a name that had no
            address ever more seldom, after minutes only every other minute.
        retry: when to give up.
    """

    headers: tuple[tuple[str, str], ...] = ()
    shared_memory: bool = True
    call_timeout_s: float = 60.0
    connect_timeout_s: float = 30.0
    renew_after_s: float = 10.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


def cluster_options() -> TritonOptions:
    """For a worker pod: the server is in another pod, and may have to come back on a new node.

    Waiting costs a worker's CPUs; giving up costs the segment that runs and a new pod.
    """
    return TritonOptions(shared_memory=False, connect_timeout_s=120.0, retry=RetryPolicy(give_up_after_s=180.0))


def target_of(url: str) -> str:
    """The gRPC target for HOST:PORT or a full target; names are resolved again and again, to all their addresses."""
    address = url.removeprefix("grpc://")
    return address if "://" in address or address.startswith(("unix:", "ipv4:", "ipv6:")) else f"dns:///{address}"


def is_loopback(url: str) -> bool:
    """Whether the address can only be this host (or this pod)."""
    host = target_of(url).removeprefix("dns:///").rsplit(":", 1)[0].strip("[]")
    if host in {"localhost", "unix"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class TritonChannel:
    """One connection and the unary calls on it."""

    def __init__(self, url: str, options: TritonOptions) -> None:
        self.url = url
        self.options = options
        self._open()

    def model_config(self, model: str, version: str) -> dict[str, Any]:
        """The model's config as plain values; waits for the server and the model as long as the options say.

        Raises:
            ModelNotFound, ServerUnavailable, ServerError: also when the model stays unready.
        """
        request = service_pb2.ModelConfigRequest(name=model, version=version)
        reply = self._patiently("ModelConfig", request, service_pb2.ModelConfigResponse, model)
        values: dict[str, Any] = MessageToDict(reply.config, preserving_proto_field_name=True)
        return values

    def newest_version(self, model: str) -> str:
        """The highest version that the server has ready: the one that it would choose. Raises as `model_config`."""
        request = service_pb2.ModelMetadataRequest(name=model)
        reply = self._patiently("ModelMetadata", request, service_pb2.ModelMetadataResponse, model)
        return str(max((int(found) for found in reply.versions if found.isdigit()), default="") or "")

    def statistics(self, model: str, version: str, timeout_s: float | None = None) -> ServerStatistics:
        """Counters of the model, all its loaded versions together when none is named.

        Args:
            model: its name.
            version: "" for all loaded ones together.
            timeout_s: one try of this length; None tries as long as `connect_timeout_s` says.
        """
        request = service_pb2.ModelStatisticsRequest(name=model, version=version)
        if timeout_s is None:
            reply = self._patiently("ModelStatistics", request, service_pb2.ModelStatisticsResponse, model)
        else:
            try:
                reply = self._call("ModelStatistics", request, service_pb2.ModelStatisticsResponse, timeout_s)
            except grpc.RpcError as error:
                raise final_error(error, model=model, address=self.url, attempts=1) from error
        stats = list(reply.model_stats)
        batches = [(batch.batch_size, batch.compute_infer) for entry in stats for batch in entry.batch_stats]
        return ServerStatistics(
            inferences=sum(entry.inference_count for entry in stats),
            executions=sum(entry.execution_count for entry in stats),
            queue_s=sum(entry.inference_stats.queue.ns for entry in stats) / 1e9,
            compute_input_s=sum(entry.inference_stats.compute_input.ns for entry in stats) / 1e9,
            compute_infer_s=sum(entry.inference_stats.compute_infer.ns for entry in stats) / 1e9,
            compute_output_s=sum(entry.inference_stats.compute_output.ns for entry in stats) / 1e9,
            requests=sum(entry.inference_stats.success.count for entry in stats),
            execution_s=sum(taken.ns for _, taken in batches) / 1e9,
            frames_squared=sum(size * size * taken.count for size, taken in batches),
            frame_execution_s=sum(size * taken.ns for size, taken in batches) / 1e9,
        )

    def register_region(self, name: str, key: str, size_bytes: int) -> str | None:
        """Lets the server map a shared memory object; None when it did, else its words of refusal."""
        request = service_pb2.SystemSharedMemoryRegisterRequest(name=name, key=key, offset=0, byte_size=size_bytes)
        return self._try("SystemSharedMemoryRegister", request, service_pb2.SystemSharedMemoryRegisterResponse)

    def unregister_region(self, name: str) -> str | None:
        """Lets the server unmap it; None when it did, else its words."""
        request = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
        return self._try("SystemSharedMemoryUnregister", request, service_pb2.SystemSharedMemoryUnregisterResponse)

    def renew(self) -> None:
        """Reconnects; calls that are open end as cancelled."""
        _LOG.debug("reconnecting to %s", self.url)
        self._channel.close()
        self._open()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _open(self) -> None:
        self._channel = grpc.insecure_channel(target_of(self.url), options=_CHANNEL_OPTIONS)
        # Bytes in, bytes out: `wire` reads and writes them.
        self.infer = self._channel.unary_unary(f"{_SERVICE}ModelInfer")

    def _call(self, method: str, request: Any, reply: Any, timeout_s: float | None = None) -> Any:
        call = self._channel.unary_unary(
            f"{_SERVICE}{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=reply.FromString,
        )
        limit_s = self.options.call_timeout_s if timeout_s is None else timeout_s
        return call(request, timeout=limit_s, metadata=self.options.headers)

    def _try(self, method: str, request: Any, reply: Any) -> str | None:
        try:
            self._call(method, request, reply)
        except grpc.RpcError as error:
            return details(error)
        return None

    def _patiently(self, method: str, request: Any, reply: Any, model: str) -> Any:
        """Calls until it succeeds, the error is final, or `connect_timeout_s` is over."""
        fresh_s = time.monotonic()
        deadline_s = fresh_s + self.options.connect_timeout_s
        failures = 0
        while True:
            try:
                return self._call(method, request, reply)
            except grpc.RpcError as error:
                failures += 1
                delay_s = self.options.retry.delay_s(0, failures)
                is_final = _RESTRICTED in details(error) or is_no_grpc(error) or not is_passing(error)
                if is_final or time.monotonic() + delay_s > deadline_s:
                    raise final_error(error, model=model, address=self.url, attempts=failures) from error
                _LOG.debug("%s at %s: %s; retry in %.1f s", method, self.url, details(error), delay_s)
                time.sleep(delay_s)
                if time.monotonic() - fresh_s >= self.options.renew_after_s:
                    self.renew()
                    fresh_s = time.monotonic()
