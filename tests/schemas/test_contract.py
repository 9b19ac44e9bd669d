"""The event model for people and the event struct of the worker are one contract."""

from __future__ import annotations

import json
import typing
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas import event, event_model
from schemas.contract import event_json_schema, explain
from schemas.words import Direction, TargetKind

DECODER = msgspec.json.Decoder(event.Event)
FOUR = ("started", "rang", "answered", "ended")
VALID = {"type": "started", "at": 1_773_144_000_000, "call_id": "c-1"}
FIELDS = [field.encode_name for field in msgspec.structs.fields(event.Event)]


@pytest.mark.parametrize(
    ("struct", "model"),
    [
        (event.Event, event_model.CallEvent),
        (event.Party, event_model.Party),
        (event.SipMessage, event_model.SipMessage),
    ],
)
def test_the_model_and_the_struct_have_the_same_fields(struct: type[msgspec.Struct], model: type[BaseModel]) -> None:
    theirs = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    ours = {field.alias or name: field for name, field in model.model_fields.items()}
    assert list(ours) == list(theirs)
    for name, field in ours.items():
        assert field.is_required() == theirs[name].required, name
        if not field.is_required():
            assert field.default == theirs[name].default, name
        assert field.description, name


def test_every_field_of_an_event_has_a_meaning_in_the_schema() -> None:
    schema = event_json_schema()
    for definition in (schema, *schema["$defs"].values()):
        assert definition["description"]
        for name, field in definition["properties"].items():
            assert field["description"], name
    assert schema["$id"].endswith("v1")
    assert "additionalProperties" not in schema or schema["additionalProperties"] is True
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_examples_are_events() -> None:
    for example in event_json_schema()["examples"]:
        DECODER.decode(json.dumps(example))
    for name, field in event_model.CallEvent.model_fields.items():
        for example in field.examples or []:
            DECODER.decode(json.dumps(VALID | {field.alias or name: example}))


@pytest.mark.parametrize("word", [*FOUR, "something_new"])
def test_known_and_unknown_types_are_events(word: str) -> None:
    assert explain(json.dumps(VALID | {"type": word}).encode()) == []


def test_unknown_fields_are_kept() -> None:
    kept = event_model.CallEvent.model_validate(VALID | {"codec": "opus", "caller": {"number": "1", "site": "x"}})
    assert kept.model_dump()["codec"] == "opus"
    assert kept.model_dump()["caller"]["site"] == "x"


# Values that are right, nearly right and wrong, for any field.
_INSTANTS = st.sampled_from(
    [
        "2026-03-10T12:00:00Z",
        "2026-03-10t12:00:00.123456789+02:00",
        "2026-03-10 12:00:00Z",
        "2026-03-10 12:00",
        "2026-03-10T12:00:00",
        "1773144000000",
        "2026-02-30T12:00:00Z",
        "",
    ]
)
_SHORT = st.text(alphabet="ab1:+\x00ä", max_size=3)
_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    _SHORT,
    st.sampled_from(["x" * 64, "x" * 65, "x" * 256, "x" * 257, "x" * 1024, "x" * 1025, "ä" * 1024]),
    st.sampled_from([*typing.get_args(Direction), *typing.get_args(TargetKind), "party", "peer"]),
    _INSTANTS,
    st.lists(st.one_of(_SHORT, st.integers()), max_size=2),
    st.dictionaries(
        st.sampled_from(["number", "name", "domain", "extension", "method", "status", "cseq", "x"]),
        st.one_of(st.none(), _SHORT, st.integers(-9, 9), st.floats(0, 5)),
        max_size=3,
    ),
)
_CHANGES = st.dictionaries(st.sampled_from([*FIELDS, "unknown"]), _VALUES, max_size=4)


@settings(deadline=None)
@given(_CHANGES)
def test_the_model_and_the_struct_accept_the_same_values(fields: dict[str, Any]) -> None:
    value = json.dumps(VALID | fields)
    try:
        decoded: event.Event | None = DECODER.decode(value)
    except msgspec.ValidationError:
        decoded = None
    try:
        model: event_model.CallEvent | None = event_model.CallEvent.model_validate(json.loads(value))
    except ValidationError:
        model = None
    assert (decoded is None) == (model is None)
    if decoded is None:
        assert explain(value.encode())


@settings(deadline=None)
@given(_CHANGES)
def test_what_the_struct_accepts_satisfies_the_json_schema(fields: dict[str, Any]) -> None:
    value = json.dumps(VALID | fields)
    try:
        DECODER.decode(value)
    except msgspec.ValidationError:
        return
    jsonschema.Draft202012Validator(event_json_schema()).validate(json.loads(value))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_explained(value: bytes) -> None:
    try:
        DECODER.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        assert explain(value)


def _because(**fields: Any) -> list[str]:
    return explain(json.dumps(VALID | fields).encode())


def test_a_time_without_a_zone() -> None:
    assert _because(at="2026-03-10 12:00") == [
        '/at: "2026-03-10 12:00" has no time zone; write RFC 3339 with Z or offset, '
        "such as 2026-03-10T12:00:00.000Z, or integer milliseconds"
    ]


def test_seconds_instead_of_milliseconds() -> None:
    assert _because(at=1_773_144_000) == [
        "/at: 1773144000 is 1970-01-21, before 2000; seconds were sent where milliseconds are meant: multiply by 1000"
    ]


def test_a_number_where_text_belongs() -> None:
    assert _because(callee=1001) == [
        '/callee: 1001 is a number; write text in double quotes or an object {"number": …}'
    ]
    assert _because(caller={"number": 5}) == ["/caller/number: 5 is a number; write text in double quotes"]


def test_every_problem_gets_its_line() -> None:
    assert [line.split(":")[0] for line in explain(b'{"seq": "7", "kind": "phone"}')] == [
        "/type",
        "/at",
        "/call_id",
        "/seq",
        "/kind",
    ]


def test_a_long_value_is_cut() -> None:
    (line,) = _because(leg_id="x" * 300)
    assert "300 characters" in line and len(line) < 200


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "the value is empty; send one JSON object, UTF-8"),
        (b'{"type":"\xff"}', "byte 9 is not UTF-8 (0xff); encode the JSON as UTF-8"),
        (b"[1]", "[1] is not an object; send one JSON object for each event, not a list"),
    ],
)
def test_what_is_no_object(value: bytes, reason: str) -> None:
    assert explain(value) == [reason]


def test_what_is_no_json() -> None:
    (line,) = explain(b'{"type": started}')
    assert line.startswith('{"type": started} is not JSON (') and line.endswith("send one JSON object")
