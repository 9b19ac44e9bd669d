"""CommPeak's shapes for the OpenAPI document (vendor page "Aggregate CDRs")."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

_START = "2024-08-20 00:00:00"


class Filter(BaseModel):
    """Which calls. Times are UTC, both ends included; lists are alternatives."""

    model_config = ConfigDict(extra="forbid")

    start_at: str = Field(description="First start.", examples=[_START])
    end_at: str = Field(description="Last start, that second included.", examples=["2024-08-21 00:00:00"])
    destination: str | list[str] | None = Field(None, description="Number called.", examples=[["441632960123"]])
    caller_id: str | list[str] | None = Field(None, description="Caller id of the client.", examples=[["33612345678"]])
    callAttributes: list[str] | None = Field(
        None, description="Any of Conference, Transfer.", examples=[["Transfer", "Conference"]]
    )
    user: list[int] | None = Field(None, description="Users: extensions that called.", examples=[[101, 102]])
    original_trunk_id: list[int | str] | None = Field(None, description="Trunks.", examples=[["carrier-a"]])
    callsType: list[int] | None = Field(
        None,
        description="2 phonebook, 3 manual call, 4 incoming, 7 missed call, 8 internal call; others match nothing.",
        examples=[[4, 7]],
    )
    bill_duration: str | int | None = Field(None, description="Answer to end, seconds.", examples=["3;>="])
    duration: str | int | None = Field(
        None, description="Start to end, seconds. All conditions hold.", examples=["5;>|9999;<"]
    )


class Aggregation(BaseModel):
    """What to aggregate. Lists of names stand between semicolons."""

    model_config = ConfigDict(extra="forbid")

    group: str = Field(description="What tells groups apart.", examples=["user;call status"])
    fields: str | None = Field(
        None, description="What is shown; every metric when left out.", examples=["total calls;ASR"]
    )
    period: str | None = Field(None, description="year;month;day;hour, or some of them.", examples=["year;month;day"])
    filter: Filter
    order: str | None = Field(None, description="A name of group or fields, then asc or desc.", examples=["user;desc"])
    limit: int | None = Field(None, ge=1, le=10_000, description="At most so many rows.", examples=[100])
    offset: int | None = Field(None, ge=0, description="Leave out so many rows first.", examples=[0])


class Aggregate(BaseModel):
    """One row: the groups that were asked for, the period, and the metrics. Totals are text."""

    caller_user_id: int | None = Field(None, description="Extension that called; 0 for none.", examples=[101])
    status: str | None = Field(None, description="Cause, by FreeSWITCH's name.", examples=["NORMAL_CLEARING"])
    client_hangup_disposition: str | None = Field(None, description="client, agent or system.", examples=["client"])
    dst: str | None = Field(None, description="Number called.", examples=["+441632960123"])
    client_callerid_number: str | None = Field(None, description="Caller id.", examples=["+441632960000"])
    q850: str | None = Field(None, description="Cause, in Q.850's words.", examples=["Normal call clearing"])
    sip_term_status: int | None = Field(None, description="Final SIP status.", examples=[200])
    src: str | None = Field(None, description="Extension.", examples=["101"])
    transfer_to: str | None = Field(None, description="Where it was transferred to.", examples=[""])
    conference_to: str | None = Field(None, description="Conference it came to.", examples=[""])
    trunk: str | None = Field(None, description="Trunk.", examples=["carrier-a"])
    period: str | None = Field(None, description="Period, UTC.", examples=["2024 08 20"])
    total: str | None = Field(None, description="Calls.", examples=["2"])
    successful: str | None = Field(None, description="Calls that reached a person.", examples=["1"])
    call_duration: str | None = Field(None, description="Start to end, HH:MM:SS.", examples=["00:01:10"])
    call_bill_duration: str | None = Field(None, description="Answer to end, HH:MM:SS.", examples=["00:00:30"])
    acd: str | None = Field(None, description="Mean seconds of a successful call.", examples=["30 (in 1 calls)"])
    asr: str | None = Field(None, description="Successful of all.", examples=["50% (in 1 of 2 calls)"])
    cost: float | None = Field(None, description="Price.", examples=[0.0125])
    transfer_duration: str | None = Field(None, description="Seconds after transfers.", examples=["0"])
    conference_duration: str | None = Field(None, description="Seconds in conferences.", examples=["0"])
    transfer_cost: float | None = Field(None, description="Price of transfers; null while unpriced.", examples=[0])
    conference_cost: float | None = Field(None, description="Price of conferences; null while unpriced.", examples=[0])
    total_transfer: str | None = Field(None, description="Transfers.", examples=["0"])
    call_agent_duration: str | None = Field(None, description="Seconds of talk.", examples=["30"])


class CommpeakCdr(BaseModel):
    """One call of the list."""

    object_type_id: int = Field(description="As callsType of an aggregation.", examples=[3])
    object_id: int = Field(description="Number of the call.", examples=[2287306395647261])
    caller_user_id: int = Field(description="Extension that called; 0 for none.", examples=[101])
    caller_user: str = Field(description="Its name.", examples=["Ada Byron"])
    start_at: str = Field(description="Start, UTC.", examples=[_START])
    end_at: str = Field(description="End, UTC.", examples=["2024-08-20 00:00:35"])
    src: str = Field(description="Extension.", examples=["101"])
    dst: str = Field(description="Number called.", examples=["+441632960123"])
    dst_country: str = Field(description="ISO 3166 country of dst.", examples=["GB"])
    call_uuid: str = Field(description="Id that all events of the call share.", examples=["a84b4c76e66710@pbx"])
    call_id: str = Field(description="Id of the call.", examples=["700551909773148160"])
    agent_callerid_name: str = Field(description="Name of the extension.", examples=["Ada Byron"])
    agent_callerid_number: str = Field(description="Number of the extension.", examples=["101"])
    client_callerid_name: str = Field(description="Name of the party outside.", examples=[""])
    client_callerid_number: str = Field(description="Caller id.", examples=["+441632960000"])
    client_hangup_disposition: str = Field(description="client, agent or system.", examples=["client"])
    agent_hangup_disposition: str = Field(description="The same.", examples=["client"])
    call_duration: int = Field(description="Start to end, seconds.", examples=[35])
    bill_duration: int = Field(description="Answer to end, seconds.", examples=[30])
    status: str = Field(description="Cause, by FreeSWITCH's name.", examples=["NORMAL_CLEARING"])
    trunk: str = Field(description="Trunk.", examples=["carrier-a"])
    public_recording_url: str = Field(description="URL of the recording.", examples=[""])


class CommpeakCdrs(BaseModel):
    """Calls of the list."""

    cdrs: list[CommpeakCdr]


class CommpeakError(BaseModel):
    """What went wrong."""

    error: str = Field(description="What is wrong, and what to write instead.", examples=["group: is missing"])
    field: str | None = Field(None, description="The field at fault.", examples=["group"])
