"""ipcortex' shapes for the OpenAPI document (vendor page "Call Reports")."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

_DEVICE = "0c383e0000011"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow")


class Auth(_Shape):
    """Credentials, for /rest/auth/ or beside any request."""

    type: str | None = Field(None, description="auth.", examples=["auth"])
    username: str | None = Field(None, description="A user's name, or a tenant's id.", examples=["reporting"])
    password: str | None = Field(None, description="The password, or the tenant's token.", examples=["correct horse"])
    key: str | None = Field(None, description="An API key instead: a token.", examples=["cdr_…"])


class Login(_Shape):
    """A request to log in."""

    auth: Auth


class User(_Shape):
    """Who logged in."""

    id: int = Field(description="Number of the user.", examples=[3735928559])
    login: str = Field(description="Name to log in with.", examples=["reporting"])
    name: str = Field(description="Name.", examples=["Ada Byron"])
    company: str = Field(description="Id of the company.", examples=["default"])
    home: str = Field(description="Extension.", examples=["101"])
    session: str = Field(description="Value of the session cookie.", examples=["cdr_s_1f…"])
    perms: dict[str, bool] = Field(description="What the user may do.", examples=[{"admin": True, "billing": True}])


class Envelope(_Shape):
    """What every answer has; HTTP is always 200."""

    result: str = Field(description="success, fail or retry.", examples=["success"])
    message: str | None = Field(None, description="Why it failed, or shall be tried again.", examples=[None])


class LoggedIn(Envelope):
    """The answer to a log-in."""

    user: User | None = Field(None, description="Who logged in.")


class _Month(_Shape):
    month: int = Field(ge=1, le=12, description="Month to report.", examples=[8])
    year: int = Field(description="Year to report.", examples=[2024])
    recalc: bool | None = Field(None, description="Price the calls again first.", examples=[False])


class _Days(_Month):
    day: int | None = Field(None, ge=1, le=31, description="Day to report; the whole month without.", examples=[20])
    days: int | None = Field(None, ge=1, description="How many days.", examples=[1])


class InScope(_Days):
    """Which received calls."""

    company: str | list[str] | None = Field(None, description="Companies; default when left out.", examples=["default"])
    extensions: list[str] | None = Field(None, description="Only these extensions.", examples=[["201"]])


class OutScope(_Days):
    """Which dialled calls."""

    company: str | list[str] | None = Field(None, description="Companies; default when left out.", examples=["default"])
    deviceids: list[str] | None = Field(None, description="Only these devices: MAC and port.", examples=[[_DEVICE]])
    keeviomerge: bool | None = Field(None, description="Softphone calls stand under the handset.", examples=[True])


class SummaryScope(_Month):
    """Which costs."""

    company: str | list[str] | None = Field(None, description="Companies; all when left out.", examples=[["north"]])
    keeviomerge: bool | None = Field(None, description="Softphone calls stand under the handset.", examples=[False])
    detail: bool | None = Field(None, description="Each device too.", examples=[True])


class AllScope(_Days):
    """Which calls."""

    keeviomerge: bool | None = Field(None, description="Softphone calls stand under the handset.", examples=[False])


class _Asking(_Shape):
    type: str = Field("cdr", description="cdr.", examples=["cdr"])
    auth: Auth | None = Field(None, description="Credentials, when there is no session.")


class InRequest(_Asking):
    """A request for received calls."""

    scope: InScope


class OutRequest(_Asking):
    """A request for dialled calls."""

    scope: OutScope


class SummaryRequest(_Asking):
    """A request for costs."""

    scope: SummaryScope


class AllRequest(_Asking):
    """A request for all calls."""

    scope: AllScope


class InCall(_Shape):
    """A call as an extension received it."""

    acctid: int = Field(description="Number of the record; the same for ever.", examples=[2287306395647261])
    calldate: int = Field(description="When it came, seconds since 1970.", examples=[1724155200])
    caller: str = Field(description="Caller's number, or Anonymous.", examples=["101"])
    type: str = Field(description="Internal or External.", examples=["Internal"])
    ringtime: int = Field(description="Seconds until it was answered or gone.", examples=[5])
    billsecs: int = Field(description="Seconds of talk.", examples=[30])
    detail: str = Field(
        description="Answered, Not answered, Busy, Failed, Voicemail or Diverted.", examples=["Answered"]
    )
    qtime: str = Field(description="Seconds in the queue, or empty.", examples=[""])
    qstatus: str = Field(description="Answered, Abandoned, Timeout, Overflow, Exit, Callback or empty.", examples=[""])
    ddi: str | None = Field(None, description="Number dialled from outside; in allcalls.", examples=["+441632960001"])


class OutCall(_Shape):
    """A call as a device dialled it."""

    acctid: int = Field(description="Number of the record; the same for ever.", examples=[2287306395647261])
    calldate: int = Field(description="When it was made, seconds since 1970.", examples=[1724155440])
    type: str = Field(description="Class of the number.", examples=["National"])
    called_info: str = Field(description="What is known of it.", examples=[""])
    called: str = Field(description="Short form of the number.", examples=["01632960123"])
    dialled: str = Field(description="Number as dialled.", examples=["+441632960123"])
    billsecs: int = Field(description="Seconds that are billed: of the line outside.", examples=[30])
    ringtime: int = Field(description="Seconds before.", examples=[5])
    cost: float | None = Field(description="Price, two decimals; null while unknown; 0 in allcalls.", examples=[0.01])
    trunk: str = Field(description="Trunk, or empty.", examples=["carrier-a"])
    cid: str = Field(description="Caller id sent.", examples=["+441632960000"])


class Extension(_Shape):
    """What an extension received."""

    name: str = Field(description="Name of the extension.", examples=["Bob Frost"])
    calls: list[InCall] = Field(description="Its calls, in order.")


class Device(_Shape):
    """What a device dialled."""

    name: str = Field(description="Name of its owner.", examples=["Ada Byron"])
    device: str = Field(description="Its SIP name.", examples=["ada-desk"])
    calls: list[OutCall] = Field(description="Its calls, in order.")


class Company(_Shape):
    """Both, of a company."""

    name: str = Field(description="Name of the company.", examples=["Acme North"])
    in_: dict[str, Extension] = Field(alias="in", description="Received, by extension.")
    out: dict[str, Device] = Field(description="Dialled, by device.")


class Summary(_Shape):
    """Costs of a company; with detail, its devices stand beside these fields by their ids."""

    name: str = Field(description="Name of the company.", examples=["Acme North"])
    cost: float | None = Field(description="Price; null where no call has one.", examples=[1.23])
    seconds: int = Field(description="Seconds from answer to end.", examples=[217])
    unknown: int = Field(description="Calls outside that no tariff prices.", examples=[1])


class InCalls(Envelope):
    """Received calls by extension."""

    values: dict[str, Extension] | None = Field(None, description="By extension.")


class OutCalls(Envelope):
    """Dialled calls by device."""

    values: dict[str, Device] | None = Field(None, description="By device.")


class OutSummary(Envelope):
    """Costs by company."""

    values: dict[str, Summary] | None = Field(None, description="By company.")


class AllCalls(Envelope):
    """All calls by company."""

    values: dict[str, Company] | None = Field(None, description="By company.")
