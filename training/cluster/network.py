"""Which network interface leads where, asked of the kernel."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct

_SIOCGIFADDR = 0x8915


def loopback() -> str | None:
    """The interface over which a machine talks to itself."""
    return _with_address("127.0.0.1")


def leading_to(host: str) -> str | None:
    """The interface over which packets to that host leave; None where the name says nothing or there is none."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # sends nothing
            return _with_address(probe.getsockname()[0])
    except OSError:
        return None


def _with_address(address: str) -> str | None:
    wanted = ipaddress.ip_address(address.partition("%")[0])
    for _, name in socket.if_nameindex():
        addresses = _sixth(name) if wanted.version == 6 else _fourth(name)
        if wanted in addresses or (wanted.is_loopback and any(one.is_loopback for one in addresses)):
            return name
    return None


def _fourth(name: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The IPv4 address of an interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name[:15].encode()))
        except OSError:  # an interface without one
            return []
    return [ipaddress.IPv4Address(answer[20:24])]


def _sixth(name: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The IPv6 addresses of an interface."""
    try:
        with open("/proc/net/if_inet6") as lines:
            fields = [line.split() for line in lines]
    except OSError:
        return []
    return [ipaddress.IPv6Address(bytes.fromhex(field[0])) for field in fields if field[5] == name]
