"""Where agents are, as people write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.remote.address import Address, AddressError, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("local", Address("local")),
        ("gpu01", Address("ssh", "gpu01")),
        ("me@gpu01", Address("ssh", "gpu01", "me")),
        (" me@gpu01.lab.example:2222 ", Address("ssh", "gpu01.lab.example", "me", 2222)),
        ("ssh://me@gpu01/data/barista/", Address("ssh", "gpu01", "me", 0, "/data/barista")),
        ("[2001:db8::1]:22", Address("ssh", "2001:db8::1", "", 22)),
        ("port://gpu01", Address("port", "gpu01", "", 4200)),
        ("port://me@gpu01:4300", Address("port", "gpu01", "me", 4300)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse(text) == address
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no host"),
        ("two words", "names no host"),
        ("-oProxyCommand=evil", "names no host"),
        ("-l@host", "names no host"),
        ("gpu01:99999", "there is no port 99999"),
        ("gpu01/data", "write ssh://gpu01/data"),
        ("port://gpu01:1/data", "serves one folder"),
        ("http://gpu01", "names no host"),
    ],
)
def test_no_addresses(text: str, message: str) -> None:
    with pytest.raises(AddressError, match=message):
        parse(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        address = parse(text)
    except AddressError:
        return
    assert parse(str(address)) == address
    assert not address.host.startswith("-")
