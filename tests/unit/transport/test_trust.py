"""Which addresses a server may send us to."""

from __future__ import annotations

import ipaddress

import pytest

from planet_sdk.exceptions import UnsafeLink
from planet_sdk.trust import Trust, address_of, is_public

PLANET = "https://8.8.4.4"  # a number, so that no resolver is asked


@pytest.mark.parametrize("address", ["8.8.8.8", "142.250.1.1", "2a00:1450:4001:81d::2010", "64:ff9b::8.8.8.8"])
def test_the_public_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.", "localhost", "a.localhost."]
)
def test_a_number_is_an_address_however_it_is_written(host: str) -> None:
    assert address_of(host) == ipaddress.ip_address("127.0.0.1")


def test_a_name_is_left_to_the_resolver() -> None:
    assert address_of("storage.googleapis.com") is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://storage.googleapis.com/a.tif", "plain http"),
        ("http://8.8.4.4/a.tif", "plain http"),
        ("https://169.254.169.254/latest/meta-data/", "169.254.169.254 is not in the public internet"),
        ("https://[::ffff:10.0.0.1]:8443/", "not in the public internet"),
        ("https://2130706433/", "127.0.0.1 is not"),
        ("https://localhost:8443/", "127.0.0.1 is not"),
        ("https://8.8.4.4@storage.example/", "user name"),
        ("file:///etc/passwd", "no http address"),
        ("ftp://storage.example/a.tif", "no http address"),
        ("https:///a.tif", "no http address"),
        ("//storage.example/a.tif", "no http address"),
        ("scene.tif", "no http address"),
        ("https://storage.example/a\r\nb", "no address"),
        ("https://storage.example/\ud800", "no address"),
        ("https://storage.example:99999/", "no http address"),
        ("https://storage.example/" + "a" * 100_000, "no address"),
    ],
)
async def test_an_address_that_no_answer_of_planets_may_name_is_refused(url: str, why: str) -> None:
    with pytest.raises(UnsafeLink, match=why) as caught:
        await Trust(PLANET).check(url)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("url", ["https://storage.googleapis.com/a.tif?token=x", "https://8.8.8.8/", PLANET])
async def test_storage_in_the_public_internet_may_be_named(url: str) -> None:
    await Trust(PLANET).check(url)


@pytest.mark.parametrize("home", ["http://127.0.0.1:8080", "http://localhost:8080", "http://10.1.2.3"])
async def test_a_planet_that_is_private_and_plain_may_name_its_like(home: str) -> None:
    await Trust(home).check("http://192.168.0.7:9000/a.tif?token=x")


async def test_a_planet_that_cannot_be_resolved_is_not_taken_for_a_private_one() -> None:
    with pytest.raises(UnsafeLink):
        await Trust("https://planet.invalid").check("https://10.0.0.1/")


async def test_plain_http_and_private_networks_are_allowed_apart() -> None:
    with pytest.raises(UnsafeLink, match="not in the public internet"):
        await Trust("http://8.8.8.8").check("http://127.0.0.1/")
    with pytest.raises(UnsafeLink, match="plain http"):
        await Trust("https://10.0.0.1").check("http://10.0.0.2/")


async def test_an_api_of_its_own_counts_as_home() -> None:
    trust = Trust(PLANET)
    trust.add("http://10.0.0.1:8000/compute/ops")

    await trust.check("http://10.0.0.2/a.tif")
    assert trust.covers("http://10.0.0.1:8000/download/?token=x")
    assert not trust.covers("http://10.0.0.2/")


async def test_what_is_said_of_a_refused_address_tells_no_secret() -> None:
    with pytest.raises(UnsafeLink) as caught:
        await Trust(PLANET).check("https://me:word@storage.example/a.tif?token=secret#secret")
    assert (caught.value.url, str(caught.value).count("word") + str(caught.value).count("secret")) == (
        "https://storage.example/a.tif",
        0,
    )
