"""The named measures of telephony, as SQL over the columns of call_rows, call_log_rows and visits to queues.

The count base of calls is one row of call_rows: everything from the caller's first INVITE to the last hang-up
is one attempt, whatever it was retransmitted, authenticated again or rerouted to (scope: call). A call log is one
attempt at one target (scope: leg). Ratios are per cent, null where there is nothing to divide by; ratios
of calls leave out calls in progress. Durations are ms.

Names with a number in them take any: `pdd_p95_ms` any percentile from p1 to p99, `service_level_20` any seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from pipeline.warehouse.analytics.aggregate import Measure
from pipeline.warehouse.query.clauses import Source
from pipeline.warehouse.query.expressions import BadExpression

_OVER: Final = "state = 'closed'"
_ANSWERED: Final = "isNotNull(answered_at)"
_TALKED: Final = "isNotNull(talk_started_at)"
# The final status of something that was not answered.
_SIP: Final = f"if({_ANSWERED}, 0, sip_status)"
_CAUSE: Final = f"if({_ANSWERED}, 16, q850_cause)"
# A bid that found no circuit: Q.850 causes 34 (no circuit available) and 44 (requested circuit not available).
_NO_CIRCUIT: Final = f"({_CAUSE} IN (34, 44))"
_SEIZED: Final = f"(NOT {_NO_CIRCUIT})"
_REDIRECTED: Final = f"({_SIP} BETWEEN 300 AND 399)"
# Statuses with which the network, not the called user, says cause 21.
_POLICY: Final = "(401, 402, 403, 407, 428, 429, 433, 436, 437, 438, 608)"
# Legs that E.425 does not count: redirected, lost in a fork, challenged.
_NER_BASE: Final = f"(NOT (NOT {_ANSWERED} AND ({_REDIRECTED} OR {_CAUSE} IN (23, 26) OR {_SIP} IN (401, 407))))"
_NER_OK: Final = (
    f"({_ANSWERED} OR {_CAUSE} IN (17, 19, 20) OR ({_CAUSE} = 18 AND ({_SIP} != 408 OR isNotNull(rang_at)))"
    f" OR ({_CAUSE} = 21 AND {_SIP} NOT IN {_POLICY}) OR ({_CAUSE} = 0 AND {_SIP} IN (480, 486, 600, 603))"
    f" OR (isNotNull(rang_at) AND ({{ended_early}} OR {_CAUSE} = 102 OR {_SIP} IN (408, 487))))"
)
_FAR: Final = "toDateTime64('2299-12-31 00:00:00', 3, 'UTC')"


def _count(name: str, condition: str = "") -> Measure:
    return Measure(name, f"countIf({condition})" if condition else "count()", "count")


def _percent(name: str, part: str, whole: str) -> Measure:
    """100 · part / whole; null when there is no whole."""
    return Measure(name, f"if(countIf({whole}) = 0, NULL, 100 * countIf({part}) / countIf({whole}))", "percent")


def _sum(name: str, column: str, condition: str = "1") -> Measure:
    return Measure(name, f"sumIf(ifNull({column}, 0), {condition})", "ms")


def _mean(name: str, column: str, condition: str) -> Measure:
    return Measure(name, f"avgOrNullIf({column}, {condition})", "duration")


def _quantile(name: str, level: float, column: str, condition: str) -> Measure:
    """The exact quantile: the smallest value that so many per cent of the values do not exceed."""
    return Measure(name, f"quantileExactOrNullIf({level})({column}, {condition})", "duration")


def money(name: str, column: str = "cost", currency: str = "currency") -> Measure:
    """The exact sum of prices, as text. What is free has a price of 0 and no currency, and may stand beside any; where
    prices are in several currencies there is no sum (group by currency), and where nothing has a price neither."""
    priced = f"{column} != ''"
    total = f"toString(sumIf(toDecimal256OrZero({column}, 18), {priced}))"
    several = f"uniqExactIf({currency}, {priced} AND {currency} != '') > 1"
    return Measure(name, f"if(countIf({priced}) = 0 OR {several}, NULL, {total})", "money")


def _ratios(over: str, ended_early: str) -> list[Measure]:
    """Ratios of attempts. `over` says which attempts are decided, `ended_early` which the caller gave up
    or the PBX after ringing.

    - asr: answer seizure ratio, ITU-T E.425 1.3: seizures with an answer signal / seizures. The network's answer
      counts: an IVR, a queue or a voicemail box answers too.
    - abr: answer bid ratio, ITU-T E.425 1.4: bids with an answer / bids, those without a circuit among them.
    - ner: network effectiveness ratio, ITU-T E.425 (2002) 1.5: (answer + user busy + ring no answer + terminal
      rejection or unavailability) / seizures; redirected, forked and challenged legs not among them. It is not
      the 100 - ISA that some call NER.
    - ser, seer: session establishment (effectiveness) ratio, RFC 6076 4.6 and 4.7: INVITEs with 200, and with 200,
      480, 486, 600 or 603, / INVITEs that were not redirected (3xx).
    - isa: ineffective session attempts, RFC 6076 4.8: INVITEs with 408, 500, 503 or 504 / INVITEs.
    """
    sessions = f"{over} AND NOT {_REDIRECTED}"
    effective = f"({_ANSWERED} OR {_SIP} IN (480, 486, 600, 603))"
    ner = f"{over} AND {_SEIZED} AND {_NER_BASE}"
    return [
        _percent("asr", f"{over} AND {_ANSWERED}", f"{over} AND {_SEIZED}"),
        _percent("abr", f"{over} AND {_ANSWERED}", over),
        _percent("ner", f"{ner} AND {_NER_OK.format(ended_early=ended_early)}", ner),
        _percent("ser", f"{sessions} AND {_ANSWERED}", sessions),
        _percent("seer", f"{sessions} AND {effective}", sessions),
        _percent("isa", f"{over} AND {_SIP} IN (408, 500, 503, 504)", over),
    ]


# Over calls that have both prices, in one currency; what is free has none of its own.
_BOTH: Final = (
    "cost != '' AND carrier_cost != '' AND (currency = carrier_currency OR currency = '' OR carrier_currency = '')"
)
_OF_BOTH: Final = "if(currency = '', carrier_currency, currency)"
_MARGIN: Final = (
    f"if(countIf({_BOTH}) = 0 OR uniqExactIf({_OF_BOTH}, {_BOTH} AND {_OF_BOTH} != '') > 1, NULL, toString(sumIf("
    f"toDecimal256OrZero(cost, 18) - toDecimal256OrZero(carrier_cost, 18), {_BOTH})))"
)

# Post-dial delay, ITU-T E.721 (post-selection delay) and RFC 6076 4.3 (session request delay): from the INVITE to
# the first 18x, the answer, or the failure. None when the caller gave up before anything came back.
_FIRST_SIGN: Final = f"least(ifNull(progress_at, {_FAR}), ifNull(rang_at, {_FAR}), ifNull(answered_at, {_FAR}))"
_PDD: Final = (
    f"if(({_FIRST_SIGN}) < {_FAR}, dateDiff('millisecond', started_at, {_FIRST_SIGN}),"
    " if(state = 'open' OR status = 'cancelled', NULL, duration_ms))"
)
_QUEUED: Final = "isNotNull(wait_ms)"
_SERVED: Final = f"({_QUEUED} AND isNotNull(talk_started_at))"
_OPEN_END: Final = "ifNull(ended_at, now64(3, 'UTC'))"
_SECOND: Final = "intDiv(toUnixTimestamp64Milli(started_at), 1000)"
_ERLANGS: Final = "sum(till - since) / any(width)"

_LENGTHS: Final[Mapping[str, tuple[str, str]]] = {
    "pdd": (_PDD, f"isNotNull({_PDD})"),
    "setup": ("setup_ms", "isNotNull(setup_ms)"),
    "ring": ("ring_ms", "isNotNull(ring_ms)"),
    "wait": ("wait_ms", _QUEUED),
    "talk": ("talk_ms", "isNotNull(talk_started_at)"),
    "hold": ("hold_ms", "isNotNull(talk_started_at)"),
    "billable": ("billable_ms", _ANSWERED),
    "duration": ("duration_ms", "isNotNull(duration_ms)"),
}


def _of_lengths(lengths: Mapping[str, tuple[str, str]]) -> list[Measure]:
    """Sum, mean and extremes of each length: talk_ms, talk_avg_ms, talk_min_ms, talk_max_ms."""
    found = []
    for name, (column, condition) in lengths.items():
        found += [
            _sum(f"{name}_ms", column, condition),
            _mean(f"{name}_avg_ms", column, condition),
            Measure(f"{name}_min_ms", f"minOrNullIf({column}, {condition})", "duration"),
            Measure(f"{name}_max_ms", f"maxOrNullIf({column}, {condition})", "duration"),
        ]
    return found


def _named(*measures: Measure) -> Mapping[str, Measure]:
    return {each.name: each for each in measures}


# Measured quality of the audio, as producers send it.
_QUALITY: Final = ("mos", "jitter_ms", "loss_percent", "rtt_ms")


def _qualities() -> list[Measure]:
    """Mean, least and greatest of each measure of quality, over the calls that have it; and how many have."""
    found = [Measure("quality_calls", "countIf(JSONHas(quality, 'mos'))", "count")]
    for name in _QUALITY:
        value, there = f"JSONExtractFloat(quality, '{name}')", f"JSONHas(quality, '{name}')"
        found += [
            Measure(f"{name}_{how}", f"{how}OrNullIf({value}, {there})", "value") for how in ("avg", "min", "max")
        ]
    return found


# What can be asked of calls.
# - answered: the network answered; talked: a human did. acd: average call duration, answered to ended of the answered
#   (ALOC; RFC 6076 4.5 SDT). asa: average speed of answer of queued calls. aht_without_acw: talk and hold of those
#   served; a CDR does not know the work after the call.
# - erlangs: E.600 traffic, answered to ended; erlangs_seized: started to ended. peak_calls, peak_talking: the most at
#   one time, ringing ones among them or not; a call that ends as another begins is not beside it. Calls in progress
#   last until now.
# - cps_max: the most attempts in one second of the clock.
# - abandon_rate: abandoned in a queue / queued.
CALL_MEASURES: Final = _named(
    _count("calls"),
    _count("attempts", _OVER),
    _count("seizures", f"{_OVER} AND {_SEIZED}"),
    _count("open", "state = 'open'"),
    _count("answered", _ANSWERED),
    _count("unanswered", f"{_OVER} AND NOT {_ANSWERED}"),
    _count("talked", "isNotNull(talk_started_at)"),
    _count("no_answer", "status = 'no_answer'"),
    _count("busy", "status = 'busy'"),
    _count("cancelled", "status = 'cancelled'"),
    _count("failed", "status = 'failed'"),
    _count("voicemail", "status = 'voicemail'"),
    _count("abandoned", "status = 'abandoned'"),
    _count("queued", _QUEUED),
    _count("served", _SERVED),
    _count("missed", f"{_OVER} AND isNull(talk_started_at)"),
    *_ratios(_OVER, "status IN ('cancelled', 'no_answer')"),
    _percent("human_answer_rate", f"{_OVER} AND isNotNull(talk_started_at)", _OVER),
    _percent("abandon_rate", f"{_QUEUED} AND status = 'abandoned'", f"{_OVER} AND {_QUEUED}"),
    _mean("acd_ms", "billable_ms", f"{_OVER} AND {_ANSWERED}"),
    _mean("asa_ms", "wait_ms", _SERVED),
    _mean("aht_without_acw_ms", "talk_ms + hold_ms", _SERVED),
    *_of_lengths(_LENGTHS),
    Measure("erlangs", _ERLANGS, "erlangs", "answered_at", _OPEN_END),
    Measure("erlangs_seized", _ERLANGS, "erlangs", "started_at", _OPEN_END),
    Measure("peak_talking", "maxIntersections(since, till)", "count", "answered_at", _OPEN_END),
    Measure("peak_talking_at", "maxIntersectionsPosition(since, till)", "instant", "answered_at", _OPEN_END),
    Measure("peak_calls", "maxIntersections(since, till)", "count", "started_at", _OPEN_END),
    Measure("peak_calls_at", "maxIntersectionsPosition(since, till)", "instant", "started_at", _OPEN_END),
    Measure("cps_max", f"maxIntersections({_SECOND}, {_SECOND} + 1)", "count"),
    money("cost"),
    money("carrier_cost", "carrier_cost", "carrier_currency"),
    Measure("margin", _MARGIN, "money"),
    _count("rated", "cost != ''"),
    # Where the PBX alone answered, no carrier was there to bill.
    _count("unrated", f"{_OVER} AND {_TALKED} AND direction IN ('outbound', 'inbound_outbound') AND cost = ''"),
    *_qualities(),
    Measure("callers", "uniqExactIf(caller_number, caller_number != '')", "count"),
    Measure("first_started_at", "minOrNull(toUnixTimestamp64Milli(started_at))", "instant"),
    Measure("last_started_at", "maxOrNull(toUnixTimestamp64Milli(started_at))", "instant"),
)

# What can be asked of call logs: the same words for one attempt at one target.
LOG_MEASURES: Final = _named(
    _count("targets"),
    Measure("calls", "uniqExact(session_id)", "count"),
    _count("answered", _ANSWERED),
    *(
        _count(outcome, f"outcome = '{outcome}'")
        for outcome in ("no_answer", "busy", "rejected", "cancelled", "answered_elsewhere", "failed", "unreachable")
    ),
    *_ratios("1", "outcome IN ('cancelled', 'no_answer')"),
    _mean("acd_ms", "talk_ms", _ANSWERED),
    *_of_lengths(
        {"ring": ("ring_ms", "isNotNull(ring_ms)"), "talk": ("talk_ms", _ANSWERED)},
    ),
    Measure("erlangs", _ERLANGS, "erlangs", "answered_at", _OPEN_END),
    Measure("erlangs_seized", _ERLANGS, "erlangs", "started_at", _OPEN_END),
    Measure("peak_talking", "maxIntersections(since, till)", "count", "answered_at", _OPEN_END),
    Measure("peak_calls", "maxIntersections(since, till)", "count", "started_at", _OPEN_END),
)

_WAIT: Final = "toUInt32(JSONExtractUInt(visit, 'wait_ms'))"
_REASON: Final = "JSONExtractString(visit, 'reason')"
_LEFT: Final = f"({_REASON} != '')"
# Seconds within which a caller who hangs up has not waited at all.
SHORT_ABANDON_S: Final = 5

# What can be asked of visits to queues: offered and served, not calls.
VISIT_MEASURES: Final = _named(
    _count("visits"),
    Measure("calls", "uniqExact(id)", "count"),
    _count("offered", _LEFT),
    _count("served", f"{_REASON} = 'answered'"),
    _count("abandoned", f"{_REASON} = 'abandoned'"),
    _count("short_abandoned", f"{_REASON} = 'abandoned' AND {_WAIT} < {SHORT_ABANDON_S * 1000}"),
    _count("left", f"{_LEFT} AND {_REASON} NOT IN ('answered', 'abandoned')"),
    _percent("abandon_rate", f"{_REASON} = 'abandoned'", _LEFT),
    _mean("asa_ms", _WAIT, f"{_REASON} = 'answered'"),
    *_of_lengths({"wait": (_WAIT, _LEFT)}),
)

_BY_TABLE: Final[Mapping[str, Mapping[str, Measure]]] = {
    "calls": CALL_MEASURES,
    "closed_calls": CALL_MEASURES,
    "call_logs": LOG_MEASURES,
    "queue_visits": VISIT_MEASURES,
}


def service_level(seconds: int, method: str = "offered", *, visits: bool = False) -> Measure:
    """Service level x/y: answered within `seconds` / offered, in per cent ("80/20" asks that it be 80 for 20 s).

    There is no standard; `method` names the denominator: offered (all that queued), patient (without those who hung up
    within `seconds`; who left the queue in another way stays in) or answered. All are of finished calls.
    """
    offered = _LEFT if visits else f"({_OVER} AND {_QUEUED})"
    answered = f"({_REASON} = 'answered')" if visits else f"({offered} AND {_SERVED})"
    abandoned = f"({_REASON} = 'abandoned')" if visits else "(status = 'abandoned')"
    wait = _WAIT if visits else "ifNull(wait_ms, 0)"
    within = f"{wait} <= {seconds * 1000}"
    whole = {
        "offered": offered,
        "patient": f"({offered} AND NOT ({abandoned} AND {within}))",
        "answered": answered,
    }[method]
    name = f"service_level_{seconds}" + ("" if method == "offered" else f"_{method}")
    return _percent(name, f"{answered} AND {within}", whole)


def short_calls(seconds: int) -> Measure:
    """Answered calls of less than so many seconds: a hint at fraud or false answers."""
    return _count(f"short_calls_{seconds}", f"{_OVER} AND {_ANSWERED} AND billable_ms < {seconds * 1000}")


def percentile(name: str, percent: int, source: Source) -> Measure:
    """A percentile of a length in ms, as `pdd_p95_ms`."""
    lengths = _lengths(source)
    column, condition = lengths[name]
    return _quantile(f"{name}_p{percent}_ms", percent / 100, column, condition)


def _lengths(source: Source) -> Mapping[str, tuple[str, str]]:
    if source.name == "queue_visits":
        return {"wait": (_WAIT, _LEFT)}
    if source.name == "call_logs":
        return {"ring": _LENGTHS["ring"], "talk": ("talk_ms", _ANSWERED)}
    return _LENGTHS


def _families(source: Source) -> list[tuple[str, str, Callable[[re.Match[str]], Measure]]]:
    """Pattern, spelling and maker of measures with a number in their name."""
    visits = source.name == "queue_visits"
    found: list[tuple[str, str, Callable[[re.Match[str]], Measure]]] = [
        (
            rf"({'|'.join(_lengths(source))})_p([1-9]\d?)_ms",
            f"{{{'|'.join(_lengths(source))}}}_p1_ms … p99_ms",
            lambda match: percentile(match[1], int(match[2]), source),
        )
    ]
    if source.name != "call_logs":
        found.append(
            (
                r"service_level_(\d{1,5})(?:_(patient|answered))?",
                "service_level_SECONDS, …_patient, …_answered",
                lambda match: service_level(int(match[1]), match[2] or "offered", visits=visits),
            )
        )
    if source.table == "call_rows" and not visits:
        found.append((r"short_calls_(\d{1,5})", "short_calls_SECONDS", lambda match: short_calls(int(match[1]))))
    return found


def measure(name: str, source: Source) -> Measure:
    """The measure of this name over the rows of `source`. Raises BadExpression, which names those there are."""
    if found := _BY_TABLE[source.name].get(name):
        return found
    for pattern, _, make in _families(source):
        if match := re.fullmatch(pattern, name, re.ASCII):
            return make(match)
    raise BadExpression(f"measure {name[:60]!r} is none of {', '.join(names(source))}")


def names(source: Source) -> list[str]:
    """The measures there are of a source; those with a number in them in their spelling."""
    return [*_BY_TABLE[source.name], *(spelling for _, spelling, _ in _families(source))]
