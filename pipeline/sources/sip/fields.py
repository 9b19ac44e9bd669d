"""The values of SIP header fields: addresses, Via, Reason, Replaces, and the direction of the audio in SDP.

Sources: RFC 3261 (addresses, Via), RFC 3326 (Reason), RFC 3891 (Replaces), RFC 3515 (Refer-To),
RFC 3264 and RFC 8866 (SDP direction attributes), RFC 3966 (tel URI).
Values come from strangers: nothing here raises, and everything returned is bounded.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote

from pipeline.calls.withheld import is_withheld
from pipeline.sources.visible import visible
from schemas.event import Party

MAX_ID: Final = 256  # characters of an id in an event
MAX_TEXT: Final = 1024
MAX_FORWARDS: Final = 20  # of one call, as its INVITE tells them

_TAG: Final = re.compile(r";\s*tag\s*=\s*([^;,\s>]+)", re.IGNORECASE)
_BRANCH: Final = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)
_CAUSE: Final = re.compile(r";\s*cause\s*=\s*\"?(\d{1,4})", re.IGNORECASE)
_REASON_TEXT: Final = re.compile(r";\s*text\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;,\s]+))", re.IGNORECASE)
_REPLACES: Final = re.compile(r"[?&]replaces=([^&>\s]+)", re.IGNORECASE)
# What SEMS appends in Sipwise NGCP (NGCP::Panel strips the same), and what Homer's guides join by.
_SUFFIX: Final = re.compile(r"(?:[-_](?:b2b|pbx|xfer)[-_]\d+)+\Z", re.IGNORECASE)
_MARKS: Final = frozenset("-_")
_DIVERSION_REASON: Final = re.compile(r";\s*reason\s*=\s*\"?([A-Za-z0-9\-]{1,64})", re.IGNORECASE)
_SESSION: Final = re.compile(r"\s*([0-9A-Fa-f]{32})(?:\s*;|\s*\Z)")
_ICID: Final = re.compile(r"icid-value\s*=\s*\"?([^\";,\s]{8,200})", re.IGNORECASE)
_WORD: Final = re.compile(r"\s*([^;,\s]{8,200})")
_INDEX: Final = re.compile(r";\s*index\s*=\s*([0-9.]+)", re.IGNORECASE)
_MAPPED: Final = re.compile(r";\s*mp\s*=\s*([0-9.]+)", re.IGNORECASE)
_DIRECTION: Final = re.compile(r"\na=(sendonly|inactive|recvonly|sendrecv)")
_parties: dict[str, Party] = {}
_MAX_PARTIES: Final = 50_000
_REFERRAL_MS: Final = 15_000
_HISTORY: Final = {  # RFC 4458, section 2
    302: "unconditional", 486: "user-busy", 600: "user-busy", 408: "no-answer", 480: "deflection", 487: "deflection",
    404: "unavailable", 503: "unavailable",
}  # fmt: skip


def bounded(text: str) -> str:
    """An id of at most 256 characters. A longer one keeps its beginning and gets a digest of the whole, so
    that two different ids stay different."""
    if len(text) <= MAX_ID:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[: MAX_ID - 33]}~{digest}"


def sip_id(call_id: str, suffixes: tuple[str, ...] = ()) -> str:
    """A Call-ID without what a back-to-back user agent appended to it for its other side, such as `_b2b-1`.

    `suffixes`: others, by setting; `#` stands for digits.
    """
    if call_id[-2:-1] in _MARKS or call_id[-3:-2] in _MARKS:  # a digit or two behind a mark: seldom, and quickly seen
        call_id = _SUFFIX.sub("", call_id)
    if suffixes:
        call_id = _own_suffix(suffixes).sub("", call_id) or call_id
    return call_id


@lru_cache(maxsize=64)
def _own_suffix(suffixes: tuple[str, ...]) -> re.Pattern[str]:
    each = "|".join(re.escape(suffix).replace("\\#", r"\d+") for suffix in suffixes)
    return re.compile(rf"(?:{each})\Z")


def session_id(field: str) -> str:
    """The local part of a Session-ID field (RFC 7989), which back-to-back user agents pass on; "" without one."""
    match = _SESSION.match(field)
    return "" if match is None or not match[1].strip("0") else match[1].lower()


def charging_id(field: str) -> str:
    """The id of a call that the nodes of a network pass on: the ICID of P-Charging-Vector (RFC 7315, section 4.6), or
    BroadWorks' correlation id; "" without one."""
    match = _ICID.search(field) if "=" in field else _WORD.match(field)
    return f"icid {match[1]}" if match else ""


def tag(value: str) -> str:
    """The tag of a From or To field; "" without one."""
    start = value.rfind(";tag=")
    if start >= 0:
        found = value[start + 5 :]
        if found.isalnum():
            return found if len(found) <= MAX_ID else bounded(found)
    match = _TAG.search(value, value.rfind(">") + 1)
    return bounded(match[1]) if match else ""


def branch(via: str) -> str:
    """The branch of one Via value; "" when there is none (RFC 2543 senders)."""
    start = via.find(";branch=")
    if start >= 0:
        end = via.find(";", start + 8)
        found = via[start + 8 :] if end < 0 else via[start + 8 : end]
        if found and " " not in found and len(found) <= MAX_ID:
            return found
    match = _BRANCH.search(via)
    return bounded(match[1]) if match else ""


def _end_of_name(address: str) -> int:
    """Where the quoted display name of a name-addr ends (RFC 3261, section 25.1); 0 without one. What stands in
    the quotes is text, whatever it looks like."""
    start = address.find('"')
    if start < 0 or 0 <= address.find("<") < start:
        return 0
    place = start + 1
    while (place := address.find('"', place)) >= 0:
        escapes = place - len(address[:place].rstrip("\\"))
        if escapes % 2 == 0:
            return place + 1
        place += 1
    return 0


def _left_angle(address: str) -> int:
    """Where the URI of a name-addr begins, -1 where it stands alone."""
    end = _end_of_name(address)
    return address.find("<", end) if end else address.rfind("<")  # quotes that never end: the last one


def user_domain(address: str) -> tuple[str, str]:
    """User and host of a URI or name-addr: `"Bob" <sip:bob@example.com:5060;user=phone>` gives bob and
    example.com; of a tel URI the number. A URI without user gives ""."""
    start = _left_angle(address) if '"' in address else address.find("<")
    if start >= 0:
        end = address.find(">", start)
        uri = address[start + 1 : end] if end >= 0 else address[start + 1 :]
    else:
        uri = address
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return "", ""
    if scheme.strip().lower() == "tel":
        return _phone(rest.partition(";")[0].partition("?")[0]), ""
    user, at, host = rest.rpartition("@")
    if not at:
        host = rest
    user = user.partition(":")[0].partition(";")[0]  # without password, and without parameters of a number
    if "%" in user:
        user = unquote(user, errors="replace").replace("\0", "\ufffd")
    if not user.isascii():
        user = visible(user)
    host = host.partition(";")[0].partition("?")[0]
    if host.startswith("["):
        host = host.partition("]")[0][1:]
    elif host.count(":") < 2:
        host = host.partition(":")[0]
    return user.strip()[:MAX_TEXT], host.strip()[:MAX_TEXT]


def _phone(number: str) -> str:
    """A tel number without its visual separators (RFC 3966, section 5.1.1)."""
    return "".join(c for c in visible(number) if c not in "-.() \t")[:MAX_TEXT]


def party(address: str) -> Party:
    """The party that a From or To field names. Remembered: every message of a call repeats both."""
    address = address[: address.rfind(">") + 1] or address  # without the parameters of the field: the tag
    known = _parties.get(address)
    if known is None:
        if len(_parties) > _MAX_PARTIES:
            _parties.clear()
        known = _party(address)
        if len(address) <= MAX_ID:
            _parties[address] = known
    return known


def _party(address: str) -> Party:
    user, domain = user_domain(address)
    start = _left_angle(address) if '"' in address else address.find("<")
    name = ""
    if start > 0:
        name = address[:start].strip()
        if name.startswith('"') and name.endswith('"') and len(name) > 1:
            name = name[1:-1]
            if "\\" in name:
                name = re.sub(r"\\(.)", r"\1", name)
    return Party(number=user, name=name[:MAX_TEXT], domain=domain)


def anonymous(caller: Party) -> bool:
    """Whether a From field withholds who calls (RFC 3323), so that the asserted identity must be asked."""
    return not caller.number or caller.domain.lower() == "anonymous.invalid" or is_withheld(caller.number)


def values(field: str) -> list[str]:
    """The values of a field that allows several on one line; commas inside quotes and <> do not part them."""
    if "," not in field:
        return [field]
    if '"' not in field and "<" not in field:
        return field.split(",")
    found: list[str] = []
    begins = place = 0
    quoted = inside = False
    while place < len(field):
        each = field[place]
        if quoted:
            if each == "\\":
                place += 1
            quoted = each != '"'
        elif each == '"':
            quoted = True
        elif each in "<>":
            inside = each == "<"
        elif each == "," and not inside:
            found.append(field[begins:place])
            begins = place + 1
        place += 1
    return [*found, field[begins:]]


def reason(field: str) -> tuple[str, int, str]:
    """Protocol, cause and text of the strongest value of a Reason field: Q.850 before SIP (RFC 3326)."""
    best = ("", 0, "")
    for value in values(field) if "," in field else (field,):
        protocol = value.partition(";")[0].strip().lower()
        match = _CAUSE.search(value)
        cause = int(match[1]) if match else 0
        if protocol == "q.850":
            cause &= 0x7F
        elif protocol != "sip":
            continue
        if not cause or (best[0] == "q.850") or (best[0] and protocol == "sip"):
            continue
        text = _REASON_TEXT.search(value)
        best = (protocol, cause, ((text[1] or text[2] or "") if text else "")[:MAX_TEXT])
    return best


def replaces(field: str) -> str:
    """A Replaces value as "call-id;to-tag;from-tag"; "" when it names no dialog."""
    call_id, _, rest = field.partition(";")
    to_tag = from_tag = ""
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        name = name.strip().lower()
        if name == "to-tag":
            to_tag = value.strip()
        elif name == "from-tag":
            from_tag = value.strip()
    call_id = call_id.strip()
    if not call_id:
        return ""
    return f"{bounded(call_id)};{bounded(to_tag)};{bounded(from_tag)}"


def refer_to(field: str) -> tuple[str, str]:
    """The user that a Refer-To names, and the dialog that its Replaces parameter names ("" for a blind
    transfer)."""
    match = _REPLACES.search(field)
    return user_domain(field)[0], replaces(unquote(match[1], errors="replace").replace("\0", "\ufffd")) if match else ""


def diversions(field: str) -> list[str]:
    """Who sent the call on, and why, as a Diversion field tells: "number;reason" each, the latest first (RFC 5806)."""
    found: list[str] = []
    for value in values(field)[:MAX_FORWARDS]:
        number = user_domain(value)[0]
        match = _DIVERSION_REASON.search(value, value.rfind(">") + 1)
        if number:
            found.append(f"{number};{match[1].lower() if match else ''}"[:MAX_TEXT])
    return found


def history(field: str) -> list[str]:
    """The same as a History-Info field tells, the first one first (RFC 7044); retargeting to a phone's contact is none.

    The cause stands in the URI of the target that it led to (RFC 4458), or in the Reason of the one that failed; `mp`
    names the entry whose number was changed.
    """
    entries = values(field)[: 2 * MAX_FORWARDS]
    places = {match[1]: place for place, entry in enumerate(entries) if (match := _INDEX.search(entry))}
    found: list[str] = []
    for place in range(1, len(entries)):
        entry = entries[place]
        mapped = _MAPPED.search(entry)
        source = entries[places.get(mapped[1], place - 1) if mapped else place - 1]
        cause = _CAUSE.search(unquote(entry, errors="replace")) if mapped is None or "cause" in entry else None
        cause = cause or _CAUSE.search(unquote(entries[place - 1], errors="replace"))
        number = user_domain(source)[0]
        why = _HISTORY.get(int(cause[1]), "") if cause else ""
        if why and number and number != user_domain(entry)[0]:
            found.append(f"{number};{why}"[:MAX_TEXT])
    return found[:MAX_FORWARDS]


def referral_ids(method: str, at: int, referrer: str, who: str, whom: str) -> list[str]:
    """What a REFER, and the INVITE that it makes a phone send, have in common: who sends whom to whom, and when.

    A phone that was transferred blindly begins a call with a Call-ID of its own; all that tells whence it came is its
    Referred-By field (RFC 3892). `at` in ms: the INVITE follows the REFER within a quarter of a minute.
    """
    if not (referrer and who and whom):
        return []
    quarter = at // _REFERRAL_MS
    names = [quarter] if method == "REFER" else [quarter - 1, quarter]
    return [bounded(f"refer:{referrer}:{who}:{whom}:{name}") for name in names]


def media(body: str) -> str:
    """Direction of the audio that an SDP body offers: sendrecv, sendonly, recvonly or inactive; "" without SDP.

    The attribute of the first audio section counts, then that of the session, then sendrecv. The older
    way to hold, connection address 0.0.0.0 (RFC 2543), is inactive.
    """
    body = "\n" + body
    start = body.find("\nm=audio")
    if start < 0:
        return ""
    end = body.find("\nm=", start + 1)
    audio = body[start:end] if end >= 0 else body[start:]
    first = body.find("\nm=")
    session = body[: first if 0 <= first < start else start]
    if "c=IN IP4 0.0.0.0" in (audio if "c=IN" in audio else session):
        return "inactive"
    for section in (audio, session):
        match = _DIRECTION.search(section)
        if match is not None:
            return match[1]
    return "sendrecv"
