"""What types of reports, their filters and the words of those are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.query.ui.frame.language import N_

# Group → its types, in the order in which people look for them.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    N_("Calls"): ("NORMAL", "traffic", "missed", "extensions", "destinations", "RING_GROUP_STATISTICS"),
    N_("Queues"): (
        *("QUEUE_PERFORMANCE", "QUEUE_DETAILED_STATISTICS", "QUEUE_SLA_STATISTICS", "QUEUE_BREACHES_SLA_STATISTICS"),
        *("QUEUE_ABANDONED_CALLS", "QUEUE_CALLBACKS", "QUEUE_FAILED_CALLBACKS", "TEAM_QUEUE_GENERAL_STATISTICS"),
    ),
    N_("Money"): ("statements", "EXTENSION_GROUP_CALL_COST"),
    N_("Trunks and trust"): ("trunks", "short_calls", "data_quality"),
}
# Type → title and what it is about.
TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "NORMAL": (N_("Every call"), N_("Every call with its targets")),
    "EXTENSION_GROUP_CALL_COST": (
        N_("Cost of groups"),
        N_("Answered outbound calls of extension groups, with their cost"),
    ),
    "QUEUE_PERFORMANCE": (N_("Agents of queues"), N_("What each agent did for each queue")),
    "QUEUE_DETAILED_STATISTICS": (N_("Queues in detail"), N_("Calls, ringing and talking time of each queue")),
    "QUEUE_ABANDONED_CALLS": (N_("Callers lost in queues"), N_("Calls that were not served, and who was polled")),
    "QUEUE_SLA_STATISTICS": (N_("Service level of queues"), N_("How many calls waited too long")),
    "QUEUE_BREACHES_SLA_STATISTICS": (N_("Waited too long"), N_("Which calls waited too long")),
    "QUEUE_CALLBACKS": (N_("Callbacks"), N_("Callbacks asked for, and kept")),
    "QUEUE_FAILED_CALLBACKS": (N_("Callbacks that failed"), N_("Callbacks that reached nobody")),
    "TEAM_QUEUE_GENERAL_STATISTICS": (N_("Queues and their members"), N_("Members, calls and times of each queue")),
    "RING_GROUP_STATISTICS": (N_("Ring groups"), N_("Calls that ring groups had, and who answered")),
    "traffic": (N_("Traffic"), N_("Calls over time")),
    "trunks": (N_("Trunks"), N_("ASR, ACD, NER, PDD, minutes, cost and margin of each trunk")),
    "extensions": (N_("Extensions"), N_("What each extension called and took")),
    "missed": (N_("Missed calls"), N_("Callers who reached nobody, and who was called back")),
    "destinations": (N_("Top destinations"), N_("Numbers that were called most")),
    "short_calls": (N_("Short calls"), N_("Short calls by trunk, and callers whose calls look odd")),
    "statements": (N_("Statements"), N_("What each account owes, by class of number")),
    "data_quality": (N_("Data quality"), N_("How far the figures can be trusted")),
}
RANGES: Final[Mapping[str, str]] = {
    "TODAY": N_("Today"),
    "YESTERDAY": N_("Yesterday"),
    "LAST_WEEK": N_("Last week, Monday to Sunday"),
    "LAST_SEVEN_DAYS": N_("Last 7 days"),
    "LAST_MONTH": N_("Last month"),
    "LAST_THIRTY_DAYS": N_("Last 30 days"),
    "CUSTOM": N_("From one day to another"),
}
# Field of a filter → what it is called.
FIELDS: Final[Mapping[str, str]] = {
    "from": N_("Caller"),
    "from_value": N_("Which callers"),
    "to": N_("Called party"),
    "to_value": N_("Which called parties"),
    "answer_state": N_("Result"),
    "duration": N_("Length of"),
    "duration_from": N_("From so many seconds"),
    "duration_to": N_("Up to so many seconds"),
    "enable_exclude_calls_dropped_before_seconds": N_("Leave out callers who hang up early"),
    "exclude_calls_dropped_before_seconds": N_("Early means before so many seconds"),
    "call_queues": N_("Queues"),
    "ring_groups": N_("Ring groups"),
    "groups": N_("Groups of extensions"),
    "type": N_("Kind of call"),
    "trunks": N_("Trunks"),
    "direction": N_("Direction"),
    "extension": N_("Extensions"),
    "extension_value": N_("Which extensions"),
    "limit": N_("How many numbers"),
    "seconds": N_("Short means up to so many seconds"),
    "accounts": N_("Accounts"),
}
HINTS: Final[Mapping[str, str]] = {
    "from_value": N_("An extension or a range (101-110), or a number or a part of one"),
    "to_value": N_("An extension or a range (101-110), or a number or a part of one"),
    "extension_value": N_("101, 101-110 or 101,105-110"),
}
WORDS: Final[Mapping[str, str]] = {
    "ANY": N_("All"),
    "any": N_("All"),
    "EXTENSION_OR_EXTENSION_RANGE": N_("Extensions"),
    "NUMBER": N_("A number"),
    "NUMBERS_START_WITH": N_("Numbers that begin with"),
    "NUMBERS_CONTAIN": N_("Numbers that contain"),
    "INTERNAL_EXTENSIONS": N_("All extensions"),
    "EXTERNAL_NUMBERS": N_("Everybody outside"),
    "ANSWERED": N_("Answered"),
    "NOT_ANSWERED": N_("Not answered"),
    "RING_DURATION": N_("Ringing"),
    "TALK_DURATION": N_("Talking"),
    "LOCAL": N_("Local"),
    "NATIONAL": N_("National"),
    "INTERNATIONAL": N_("International"),
    "MOBILE": N_("Mobile"),
    "INTERNAL": N_("Internal"),
    "EXTERNAL": N_("External"),
    "inbound": N_("Inbound"),
    "outbound": N_("Outbound"),
    "internal": N_("Internal"),
    "inbound_outbound": N_("Through"),
}
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "waiting": (N_("Waits for a worker"), "calm"),
    "running": (N_("Being made"), "live"),
    "done": (N_("Ready"), "good"),
    "failed": (N_("Failed"), "bad"),
}
MAIL: Final[Mapping[str, str]] = {
    "waiting": N_("mail waits"),
    "sending": N_("mail is being sent"),
    "sent": N_("mailed"),
    "failed": N_("not mailed"),
}


def state_of(status: str, cron: str) -> tuple[str, str]:
    """A definition's status in a word, with its tone."""
    if status == "RUNNING":
        return STATES["running"]
    if status == "ABORTED":
        return STATES["failed"]
    return (N_("Scheduled"), "calm") if cron else (N_("Done"), "good")
