"""Where webhooks may go."""

from __future__ import annotations

import pytest

from pipeline.push import signing
from pipeline.push.addresses import AddressRefused, PublicResolver, check_url, is_public


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "240.0.0.1", "224.0.0.1", "255.255.255.255", "not-an-address"),
    ],
)
def test_addresses_inside_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://[::1]:80/", "https://localhost/x", "http://a.localhost/"),
        *("http://[::ffff:127.0.0.1]/", "ftp://example.com/", "file:///etc/passwd", "example.com", "", "http://"),
        *("http://u:p@example.com/", "http://example.com/#x", "http://example.com/ x", "http://example.com:99999/"),
        *("http://[::1", "http://exämple.com/", "http://example.com/\r\nx: y", f"http://example.com/{'a' * 3000}"),
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no|has a|is not"):
        check_url(url, private=False)


def test_private_urls_where_they_are_allowed() -> None:
    assert check_url("http://127.0.0.1:8080/x?y=1", private=True)
    assert check_url("https://example.com/hook", private=False)


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1", "127.1"])
async def test_names_of_inside_are_refused_when_they_are_resolved(name: str) -> None:
    resolver = PublicResolver()
    with pytest.raises(AddressRefused):
        await resolver.resolve(name, 80)
    await resolver.close()


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_%%%", "whsec_c2hvcnQ=", "whsec_" + "A" * 200])
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        signing.key_of(secret)
    assert len(signing.key_of(signing.new_secret())) == 32
