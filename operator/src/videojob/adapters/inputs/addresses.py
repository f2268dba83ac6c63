"""Which network addresses an http input may lead to, enforced where the connection is made.

The check and the connection use the same address: the name is resolved once, every answer is judged, and the socket
goes to a judged address. A name server that answers differently a moment later (DNS rebinding) is never asked again.
TLS still verifies the certificate against the name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import httpcore

from videojob.errors import InputAddressForbidden

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) to IP addresses as text, in the order to try them; raises OSError when there is none."""

_GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ALSO_FORBIDDEN_V4 = (
    ipaddress.IPv4Network(
        "192.0.0.0/24"
    ),  # protocol assignments, Oracle's metadata in it; older Pythons call it global
    ipaddress.IPv4Network("168.63.129.16/32"),  # public on paper, the host agent of every Azure machine
)


def resolve_host(host: str, port: int) -> Sequence[str]:
    """All addresses of a host by the system's resolver."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the open internet.

    False for loopback, link-local (cloud metadata with it), private, shared (CGNAT), unique local, multicast, reserved
    and unspecified ones, and for IPv6 addresses that carry one of those inside (mapped, NAT64, 6to4, Teredo).
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = _carried(address)
        if inner is not None:
            return is_public(inner)
        # Teredo (2001::/32) is not global by the registry; site-local, documentation and the like are outside 2000::/3.
        return address in _GLOBAL_UNICAST_V6 and address.is_global and address.teredo is None
    special = address.is_multicast or address.is_reserved or any(address in network for network in _ALSO_FORBIDDEN_V4)
    return address.is_global and not special


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Judges addresses.

    Attributes:
        allow_private: lets everything through. No manifest, environment variable or command line option sets it: it
            is there for tests that serve on loopback.
    """

    allow_private: bool = False

    def check(self, host: str, addresses: Iterable[str]) -> list[str]:
        """The addresses, all of them allowed.

        Raises:
            InputAddressForbidden: one of them is not. One bad answer condemns the name: a mixture is how a rebinding
                attack looks, and no honest public host has one.
        """
        allowed = []
        for text in addresses:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not (self.allow_private or is_public(address)):
                raise InputAddressForbidden(f"{host} leads to {address}, which is not a public address")
            allowed.append(text)
        return allowed


class VettedNetwork(httpcore.NetworkBackend):
    """Opens TCP connections to judged addresses only; everything http goes through it.

    Args:
        policy: the judge.
        resolve: name to addresses.
    """

    def __init__(self, policy: AddressPolicy, resolve: Resolve = resolve_host) -> None:
        self._policy = policy
        self._resolve = resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of `host` that answers, all of them judged before."""
        try:
            addresses = self._policy.check(host, self._resolve(host, port))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that IDNA cannot encode
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        failure = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = httpcore.ConnectError(f"{host} ({address}) does not answer: {error}")
        raise failure
