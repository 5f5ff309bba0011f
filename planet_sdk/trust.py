"""Whom a Session's credentials go to, and where it goes at all when a server names the way.

Links, redirects and next pages are a server's word. What they name is asked without credentials, and only over https
and in the public internet, so that nobody's answer can make a worker read plain text or the machines around it. An API
that is itself spoken to over plain http, or that is itself in a private network, as a stand-in for Planet is, may name
such addresses, too.

An address that is written as a number is looked at before anything is sent, one that is a name once it is connected to:
what a name resolved to a moment earlier proves nothing. Behind a proxy, it is the proxy that resolves names, and that
must refuse what it should not reach.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from planet_sdk.answers import typed_errors
from planet_sdk.exceptions import UnsafeLink

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Watch = Callable[[str, Mapping[str, Any]], Awaitable[None]]

_PORTS = {"https": 443, "http": 80}
_MAX_PORT = 65535
_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
_UNICAST = ipaddress.IPv6Network("2000::/3")  # what is assigned of IPv6; all the rest is local, reserved, or multicast
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what credentials are bound to."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the address's origin.

        Raises:
            ClientError: it is no address.
        """
        with typed_errors("A request to", url):
            return cls.at(httpx.URL(url))

    @classmethod
    def at(cls, url: httpx.URL) -> Origin:
        """Return the origin of an address that was read already."""
        return cls(url.scheme, url.host, url.port or _PORTS.get(url.scheme))


class Trust:
    """The origins that a Session was told of, and what follows for all others."""

    def __init__(self, url: str) -> None:
        self._origins = {Origin.of(url)}

    def add(self, url: str) -> None:
        """Trust this address's origin, too."""
        self._origins.add(Origin.of(url))

    def covers(self, url: str) -> bool:
        """Tell whether credentials may go there."""
        return Origin.of(url) in self._origins

    async def check(self, url: str) -> None:
        """Return only if a server may send us there, as far as the address itself tells.

        Raises:
            UnsafeLink: it is no http address, is not encrypted, brings credentials of its own, or is not public.
        """
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:  # ValueError: it holds half of a surrogate pair
            raise UnsafeLink(url, "it is no address") from error
        if parsed.scheme not in _PORTS or not parsed.host or (parsed.port or 0) > _MAX_PORT:
            raise UnsafeLink(url, "it is no http address")
        if Origin.at(parsed) in self._origins:
            return
        if parsed.scheme == "http" and all(origin.scheme == "https" for origin in self._origins):
            raise UnsafeLink(url, "it is plain http, and Planet is asked over https")
        if parsed.userinfo:
            raise UnsafeLink(url, "it brings a user name of its own")
        if (address := address_of(parsed.host)) is not None:
            await self._check_address(address, url)

    def watch(self, url: str) -> Watch:
        """Return an httpcore trace that raises UnsafeLink where the address's name has led to a forbidden place.

        Nothing has been sent by then, and the connection is closed.
        """
        host = httpx.URL(url).raw_host.decode()
        is_direct = False

        async def look(event: str, info: Mapping[str, Any]) -> None:
            nonlocal is_direct
            if event == "connection.connect_tcp.started":
                is_direct = info["host"] == host  # and not the proxy's
            elif event == "connection.connect_tcp.complete" and is_direct:
                stream: httpcore.AsyncNetworkStream = info["return_value"]
                try:
                    await self._check_address(ipaddress.ip_address(stream.get_extra_info("server_addr")[0]), url)
                except BaseException:
                    await stream.aclose()
                    raise

        return look

    async def _check_address(self, address: _Address, url: str) -> None:
        if not (is_public(address) or self.covers(url) or await self._is_private()):
            raise UnsafeLink(url, f"{address} is not in the public internet, and Planet is")

    async def _is_private(self) -> bool:
        """Whether an origin that this Session was told of is itself in a private network."""
        for host in {origin.host for origin in self._origins}:
            if not all(map(is_public, await _resolved(host))):
                return True
        return False


def address_of(host: str) -> _Address | None:
    """Return the address that the host is, without asking anyone; None where it is a name that others resolve.

    Read are all spellings that the C library takes for a number: `2130706433`, `0x7f.1`, `0177.0.0.1`.
    """
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return _LOOPBACK
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def is_public(address: _Address) -> bool:
    """Tell whether the address is one of the public internet, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is None:
            return address in _UNICAST and address.is_global
        address = wrapped
    return address.is_global and not address.is_multicast


async def _resolved(host: str) -> list[_Address]:
    """Return what the host's name leads to; nothing, where that cannot be known, as behind some proxies."""
    if (address := address_of(host)) is not None:
        return [address]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(place[0]) for *_, place in found]
