"""Yeastar's shapes for the OpenAPI document (vendor pages "Search Specific CDR", "Query CDR List", "Get Access
Token"). Fields that are 0 or empty are left out of an answer."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Answer(BaseModel):
    """What every answer has; HTTP is always 200."""

    errcode: int = Field(description="0 when all went well.", examples=[0])
    errmsg: str = Field(description="What errcode means.", examples=["SUCCESS"])
    detail: str | None = Field(None, description="What to mend; only beside an error.", examples=[None])


class Credentials(BaseModel):
    """Who asks for a token."""

    username: str = Field(description="A user's name, or a tenant's id.", examples=["reporting"])
    password: str = Field(description="The user's password, or a token of that tenant.", examples=["correct horse"])


class Refreshing(BaseModel):
    """A refresh token."""

    refresh_token: str = Field(description="As get_token gave it; good for one use.", examples=["cdr_r_5d1…"])


class Tokens(Answer):
    """A pair of tokens, as get_token and refresh_token give it."""

    access_token_expire_time: int | None = Field(None, description="Seconds.", examples=[1800])
    access_token: str | None = Field(None, description="For the query string of what follows.", examples=["9f0c…"])
    refresh_token_expire_time: int | None = Field(None, description="Seconds.", examples=[86400])
    refresh_token: str | None = Field(None, description="For refresh_token, once.", examples=["5d1a…"])


class CdrDetails(BaseModel):
    """One call."""

    id: int = Field(description="Number of the record; the same for ever.", examples=[2287306395647261])
    time: str = Field(description="Start, in the zone and format of the display.", examples=["08/20/2024 14:00:59"])
    call_from: str | None = Field(None, description="Caller: Name<number> or number.", examples=["Ada Byron<101>"])
    call_to: str | None = Field(None, description="Who answered, else who was called.", examples=["+441632960123"])
    timestamp: int = Field(description="Start, seconds since 1970.", examples=[1724133659])
    uid: str = Field(description="Id of the call.", examples=["202408201400599A3F1"])
    src_addr: str | None = Field(None, description="IP address of the caller's device.", examples=["192.0.2.25"])
    src_trunk: str | None = Field(None, description="Trunk the call came in by.", examples=["carrier-b"])
    dst_trunk: str | None = Field(None, description="Trunk the call went out by.", examples=["carrier-a"])
    duration: int | None = Field(None, description="Start to end, seconds.", examples=[40])
    ring_duration: int | None = Field(None, description="Start to answer, seconds.", examples=[5])
    talk_duration: int | None = Field(None, description="Answer to end, seconds.", examples=[35])
    disposition: str = Field(
        description="ANSWERED, NO ANSWER, BUSY, FAILED or VOICEMAIL.",
        examples=["ANSWERED"],
    )
    call_type: str = Field(description="Inbound, Outbound or Internal.", examples=["Outbound"])
    did_number: str | None = Field(None, description="Number that was dialled from outside.", examples=[None])
    dod_number: str | None = Field(None, description="Number shown to the outside.", examples=["+441632960000"])
    record_file: str | None = Field(None, description="File name of the recording.", examples=["20240820-101.wav"])
    reason: str = Field(description="Why it ended; a space stands at its end.", examples=["src hangup "])


class CdrList(Answer):
    """Calls, and how many match on all pages."""

    total_number: int | None = Field(None, description="How many calls match.", examples=[1])
    data: list[CdrDetails] | None = Field(None, description="The calls of this page.")


class Group(BaseModel):
    """An extension group."""

    id: int = Field(description="For extension_group of a search.", examples=[7])
    name: str = Field(description="Its name.", examples=["Sales"])


class GroupList(Answer):
    """The extension groups of the directory."""

    total_number: int | None = Field(None, description="How many there are.", examples=[1])
    data: list[Group] | None = Field(None, description="The groups, by name.")
