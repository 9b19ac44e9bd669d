"""Reports and the mails that carry them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.settings.base import Group


class ReportSettings(Group):
    """Reports and the mails that carry them."""

    reports_topic: str = Field("report-jobs", description="Reports that are due, key = report.")
    report_catch_up: Literal["skip", "last", "all"] = Field(
        "last", description="Scheduled reports missed while no worker ran: skip them, run the last, or all."
    )
    report_retention_days: int = Field(
        90, ge=0, description="Completed reports older than this are deleted; 0 keeps all."
    )
    report_link_days: int = Field(7, ge=1, le=3650, description="How long a link to a report's file works.")
    report_attach_mb: int = Field(10, ge=0, description="Reports up to this size are attached to their mail.")
    public_url: str = Field("", description="Where the query service is reached from outside, for links in mails.")
    smtp_host: str = Field("", description="Mail server; empty: no mail is sent.")
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_username: str = Field("")
    smtp_password: str = Field("", repr=False, description="Its password (secret).")
    smtp_tls: Literal["auto", "starttls", "tls", "off"] = Field(
        "auto", description="auto: STARTTLS when the server offers it; tls: from the first byte on."
    )
    smtp_from: str = Field("Call reports <reports@localhost>", description="Sender of mails.")
    smtp_timeout_s: float = Field(30.0, gt=0)
