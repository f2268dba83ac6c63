"""No http input reaches into the machine's own network, however the address is dressed."""

from __future__ import annotations

import ipaddress

import httpcore
import pytest

from videojob.adapters.inputs.addresses import AddressPolicy, VettedNetwork, is_public
from videojob.errors import InputAddressForbidden


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104 - judged, not bound to
        "10.0.0.1",
        "172.16.5.4",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
    ],
)
def test_an_address_inside_some_network_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "100.128.0.1", "52.216.0.1", "2600:1f18::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_one_private_answer_among_public_ones_condemns_the_name() -> None:
    with pytest.raises(InputAddressForbidden, match=r"evil\.example leads to 10\.0\.0\.7"):
        AddressPolicy().check("evil.example", ["8.8.8.8", "10.0.0.7"])


def test_a_scoped_address_is_judged_without_its_zone() -> None:
    with pytest.raises(InputAddressForbidden):
        AddressPolicy().check("x.example", ["fe80::1%eth0"])


def test_the_name_is_resolved_once_and_never_connected_to_by_name() -> None:
    answers = iter([["127.0.0.1"]])  # a second question would end the iterator

    network = VettedNetwork(AddressPolicy(), lambda _host, _port: next(answers))
    with pytest.raises(InputAddressForbidden):
        network.connect_tcp("rebinding.example", 80)


def test_an_unknown_host_is_a_connection_error() -> None:
    def nobody(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(httpcore.ConnectError, match=r"nobody\.example has no address"):
        VettedNetwork(AddressPolicy(), nobody).connect_tcp("nobody.example", 80)
