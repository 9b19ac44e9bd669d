"""Which capture agents may send: addresses and networks of CDR_HEP_SENDERS."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pipeline.errors import USAGE, Problem


class Senders:
    """Addresses and networks; with none of them, everybody may send."""

    def __init__(self, networks: tuple[IPv4Network | IPv6Network, ...] = ()) -> None:
        self._networks = networks
        self.allows = lru_cache(maxsize=4096)(self._allows)

    def _allows(self, address: str) -> bool:
        if not self._networks:
            return True
        ip = ip_address(address.partition("%")[0])
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:  # a socket for both sees IPv4 so
            ip = ip.ipv4_mapped
        return any(ip in network for network in self._networks)


def parse_senders(text: str) -> Senders:
    """Senders of a comma-separated list. Raises Problem, which names the entry that is wrong."""
    networks = []
    for entry in filter(None, map(str.strip, text.split(","))):
        try:
            networks.append(ip_network(entry))
        except ValueError as error:
            raise Problem(
                f"CDR_HEP_SENDERS: {entry[:60]!r} is no address and no network: {error}.",
                hint="Write 192.0.2.10 or 192.0.2.0/24, comma-separated.",
                code=USAGE,
            ) from None
    return Senders(tuple(networks))
