"""Which rows of Asterisk take the fast way: all that an ordinary call is made of."""

from __future__ import annotations

import orjson
import pytest

from pipeline.sources.asterisk.decoder import general
from pipeline.sources.asterisk.fast_path import plain
from pipeline.sources.contract import DEFAULTS, latest

T0 = "1750000000.000000"


def row(application: str, data: str, *, first: bool = True) -> bytes:
    own = "1001" if first else "2001"
    return orjson.dumps(
        {
            "Event": "CEL",
            "Timestamp": T0,
            "EventName": "CHAN_START",
            "CallerIDnum": own,
            "Exten": "2001",
            "Context": "from-internal",
            "Channel": f"PJSIP/{own}-00000001",
            "Application": application,
            "AppData": data,
            "EventTime": T0,
            "UniqueID": "1750000000.1" if first else "1750000000.2",
            "LinkedID": "1750000000.1",
            "SystemName": "pbx1",
        }
    )


@pytest.mark.parametrize("application", ["", "Dial", "Answer", "Playback"])
def test_rows_that_begin_a_call_take_the_fast_way(application: str) -> None:
    value = row(application, "PJSIP/2001,30" if application == "Dial" else "")
    fast = plain(value, DEFAULTS, latest(None))
    assert fast is not None
    assert [fast] == general(value, DEFAULTS, latest(None))


@pytest.mark.parametrize(
    ("application", "data"),
    [("Dial", "PJSIP/0301234567@carrier,30"), ("Dial", "DAHDI/g1/0301234567"), ("FollowMe", "2001"), ("AppDial2", "")],
)
def test_rows_that_say_more_take_the_general_way(application: str, data: str) -> None:
    assert plain(row(application, data), DEFAULTS, latest(None)) is None
