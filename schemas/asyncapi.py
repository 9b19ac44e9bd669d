"""The AsyncAPI 3.0 document of the topics, seen from the pipeline: it receives events and sends calls."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from schemas.call_model import CallDocument
from schemas.event_model import CallEvent

KAFKA_BINDING: Final = "0.5.0"
# Topic, dialect and what a value is, of the raw sources other than SIP.
RAW: Final = (
    ("freeswitch-events", "FreeSWITCH", "An event of the event socket (`event json`), or a document of mod_json_cdr."),
    ("asterisk-events", "Asterisk", "A CEL row, an AMI event or an ARI event."),
    ("kamailio-events", "Kamailio or OpenSIPS", "A row of acc, or a dialog event."),
    ("portsip-events", "PortSIP", "A live event, as the PBX posts it."),
    ("yeastar-events", "Yeastar", "A live event, as the PBX posts it."),
)
DEAD_LETTER_HEADERS: Final[dict[str, str]] = {
    "error": "Why it could not be used: the field, its value and what to do.",
    "topic": "Topic it was read from.",
    "partition": "Partition it was read from, decimal.",
    "offset": "Offset it was read at, decimal.",
}


def asyncapi() -> dict[str, Any]:
    """The document, with topics under their default names."""
    _, models = models_json_schema(
        [(CallEvent, "validation"), (CallDocument, "validation")], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Call detail pipeline",
            "version": "1.0.0",
            "description": "PBX nodes send call events; calls come out. Fields are only ever added; readers ignore "
            "fields they do not know.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "The brokers named by the setting CDR_KAFKA.",
            }
        },
        "channels": {
            "callEvents": _channel(
                "call-events", "Canonical call events. All events of a call share a key.", "callEvent"
            ),
            "sipMessages": _channel("sip-messages", "SIP messages as captured: HEP version 3 packets.", "sipMessage"),
            **{
                _name(topic): _channel(topic, f"Raw events of {dialect}.", _name(topic)[:-1])
                for topic, dialect, _ in RAW
            },
            "cdrs": _channel("cdrs", "Change feed: every version of every call.", "cdr"),
            "reportJobs": _channel("report-jobs", "Reports that are due, from worker to worker.", "reportJob"),
            "deadLetters": _channel("dead-letters", "What could not be used, with the reason.", "deadLetter"),
        },
        "operations": {
            "receiveCallEvents": _operation("receive", "callEvents", "Folds events into calls."),
            "receiveSipMessages": _operation("receive", "sipMessages", "Turns SIP dialogs into call events."),
            **{
                "receive" + _name(topic)[0].upper() + _name(topic)[1:]: _operation(
                    "receive", _name(topic), f"Turns events of {dialect} into call events."
                )
                for topic, dialect, _ in RAW
            },
            "sendCallEvents": _operation("send", "callEvents", "What was decoded from other dialects."),
            "sendCdrs": _operation("send", "cdrs", "A call as it opened, changed, closed or was corrected."),
            "receiveReportJobs": _operation(
                "receive", "reportJobs", "Runs a report; one that was run is not run again."
            ),
            "sendReportJobs": _operation("send", "reportJobs", "What a schedule, or somebody, asks for."),
            "sendDeadLetters": _operation("send", "deadLetters", "Each bad value alone; its neighbours go on."),
        },
        "components": {
            "messages": {
                "callEvent": {
                    "title": "Call event",
                    "payload": {"$ref": "#/components/schemas/CallEvent"},
                    "bindings": _key("The event's call_id. Producers must use the partitioner murmur2_random."),
                },
                "sipMessage": {
                    "title": "SIP message",
                    "contentType": "application/octet-stream",
                    "payload": {"type": "string", "format": "binary", "description": "One HEP version 3 packet."},
                    "bindings": _key("What names the call: the capture's correlation id, or the SIP Call-ID."),
                },
                **{
                    _name(topic)[:-1]: {
                        "title": f"Event of {dialect}",
                        "payload": {"type": "object", "description": text},
                        "headers": _TENANT,
                        "bindings": _key("Any text that all events of the call share."),
                    }
                    for topic, dialect, text in RAW
                },
                "cdr": {
                    "title": "Call detail record",
                    "payload": {"$ref": "#/components/schemas/CallDocument"},
                    "bindings": _key("The call's call_id. The highest version is right."),
                },
                "reportJob": {
                    "title": "Report that is due",
                    "payload": {
                        "type": "object",
                        "required": ["tenant", "report", "due_ms"],
                        "properties": {
                            "tenant": {"type": "string", "description": "Whose report it is."},
                            "report": {"type": "string", "description": "Id of the definition."},
                            "due_ms": {"type": "integer", "description": "When it was due, ms since the epoch."},
                        },
                    },
                    "bindings": _key("Id of the definition: its runs stay in order."),
                },
                "deadLetter": {
                    "title": "Dead letter",
                    "contentType": "application/octet-stream",
                    "payload": {"type": "string", "format": "binary", "description": "The bytes as they came."},
                    "headers": {
                        "type": "object",
                        "required": list(DEAD_LETTER_HEADERS),
                        "properties": {
                            name: {"type": "string", "description": text} for name, text in DEAD_LETTER_HEADERS.items()
                        },
                    },
                    "bindings": _key("The key of the record it was made from, unchanged."),
                },
            },
            "schemas": models["$defs"],
        },
    }


_TENANT: Final = {
    "type": "object",
    "properties": {"tenant": {"type": "string", "description": "Whose events they are; CDR_TENANT's without it."}},
}


def _name(topic: str) -> str:
    """`freeswitchEvents` of `freeswitch-events`."""
    first, *others = topic.split("-")
    return first + "".join(word.capitalize() for word in others)


def _channel(topic: str, description: str, message: str) -> dict[str, Any]:
    return {
        "address": topic,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": KAFKA_BINDING}},
    }


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _key(description: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": description}, "bindingVersion": KAFKA_BINDING}}
