"""Whose call it is in ipcortex' eyes: the company of an extension, and the device that it called with.

A device id is the MAC address and the port. Calls tell which extension called; of an extension with several
devices, the one whose SIP user is the caller's is taken, else the first. An extension that the directory
does not know is a device of its own, in the company `default`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.directory.model import Device, Directory, Extension

DEFAULT: Final = "default"
_MAC: Final = re.compile(r"[0-9a-f]{12}")
_SOFT: Final = re.compile(r"keevio|webrtc|(?<![a-z])soft", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Owner:
    """A device with its owner's name and company."""

    company: str
    key: str
    name: str
    device: str


class Owners:
    """Look-ups of one directory, for one report."""

    def __init__(self, directory: Directory, *, merge: bool) -> None:
        self._directory = directory
        self._merge = merge
        self._known: dict[tuple[str, str], Owner] = {}

    def company(self, number: str) -> str:
        """The id of the company of an extension."""
        extension = self._directory.extensions.get(number)
        return (extension.company if extension is not None else "") or DEFAULT

    def company_name(self, company: str) -> str:
        """A company's name; the tenant's for the default company."""
        found = self._directory.companies.get(company)
        if found is not None and found.name:
            return found.name
        return (self._directory.tenant.name or "Default Company") if company == DEFAULT else company

    def asked(self, company: str) -> str:
        """The id of a company that a request names; the tenant's own name means the default one."""
        if company in self._directory.companies or company != self._directory.tenant.id:
            return company
        return DEFAULT

    def extension_name(self, number: str, otherwise: str) -> str:
        """The name of an extension, else what the call says."""
        extension = self._directory.extensions.get(number)
        return (extension.name if extension is not None else "") or otherwise or number

    def of(self, number: str, sip_user: str, otherwise: str) -> Owner:
        """The device of extension `number`, registered as `sip_user`; `otherwise` names its owner where nothing
        else does."""
        owner = self._known.get((number, sip_user))
        if owner is None:
            owner = self._known[number, sip_user] = self._found(number, sip_user, otherwise)
        return owner

    def _found(self, number: str, sip_user: str, otherwise: str) -> Owner:
        extension = self._directory.extensions.get(number)
        if extension is None or not extension.devices:
            name = self.extension_name(number, otherwise)
            return Owner(self.company(number), number or "unknown", name, number)
        named = (device for device in extension.devices if sip_user and device.name == sip_user)
        device = next(named, extension.devices[0])
        if self._merge and _is_soft(device):
            extension, device = next(_handsets(self._user_of(extension)), (extension, device))
        name = extension.name or extension.user or otherwise or extension.number
        return Owner(extension.company or DEFAULT, device_id(device), name, device.name or extension.number)

    def _user_of(self, extension: Extension) -> Iterator[Extension]:
        """The extension, and the others of its user."""
        yield extension
        if extension.user:
            for other in self._directory.extensions.values():
                if other.user == extension.user and other.number != extension.number:
                    yield other


def device_id(device: Device) -> str:
    """MAC address and port, without separators; another id as it is."""
    mac = bare(device.id)
    if not _MAC.fullmatch(mac):
        return device.id + device.port
    return mac + (device.port or "0")


def bare(name: str) -> str:
    """A device id without separators and case, as ids are compared."""
    return re.sub(r"[:.\-\s]", "", name).lower()


def _handsets(extensions: Iterable[Extension]) -> Iterator[tuple[Extension, Device]]:
    return ((each, device) for each in extensions for device in each.devices if not _is_soft(device))


def _is_soft(device: Device) -> bool:
    """A softphone: it says so, or its address was made up (the bit of locally administered ones, IEEE 802)."""
    if _SOFT.search(device.name):
        return True
    mac = bare(device.id)
    return bool(_MAC.fullmatch(mac)) and bool(int(mac[:2], 16) & 0x02)
