"""The mail that brings a report: text and HTML, the file attached, a link that ends.

The Message-ID is made of the run (RFC 5322, 3.6.4): should a mail be sent twice, because its sender was killed
after the server took it and before that was noted, both copies bear the same one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Final

import aiosmtplib

from pipeline.errors import CdrError
from pipeline.reports.definition import addresses
from pipeline.reports.ranges import Span, local_time
from pipeline.reports.store import Run
from pipeline.settings.reports import ReportSettings

# When to try again after a failure that may pass, seconds.
RETRY_S: Final = (15, 60, 180, 480, 900, 1800, 3600, 7200)


class NotSent(CdrError):
    """The mail was not taken. `lasting`: trying again is of no use."""

    def __init__(self, reason: str, *, lasting: bool) -> None:
        super().__init__(reason)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Link:
    """Where the file can be fetched, and until when (ms)."""

    url: str
    until_ms: int


def message_id(run: Run, sender: str) -> str:
    """The same for the same run, whoever sends it."""
    mark = hashlib.sha256(run.tenant.encode(errors="replace")).hexdigest()[:12]
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<report-{run.id}-{mark}@{domain}>"


def compose(run: Run, title: str, span: Span, file: bytes | None, link: Link, settings: ReportSettings) -> EmailMessage:
    """The mail of a run. `file` is None where it is too large to attach."""
    message = EmailMessage()
    message["From"] = settings.smtp_from
    message["To"] = ", ".join(addresses(run.email))
    message["Subject"] = f"{run.name}: {span.first[:10]} to {span.last[:10]}"
    message["Date"] = format_datetime(_moment(run))
    message["Message-ID"] = message_id(run, settings.smtp_from)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of machines
    until = local_time(link.until_ms, span.zone)
    attached = f"The report is attached as {run.file_name}." if file is not None else "The file is too large to attach."
    message.set_content(
        f"{run.name}\n{title}\nFrom {span.first} To {span.last}\n\n{attached}\n\nDownload until {until}:\n{link.url}\n"
    )
    message.add_alternative(_page(run, title, span, attached, link, until), subtype="html")
    if file is not None:
        kind, _, subkind = ("text/csv" if run.format == "CSV" else "text/html").partition("/")
        message.add_attachment(file, maintype=kind, subtype=subkind, filename=run.file_name)
    return message


def _moment(run: Run) -> dt.datetime:
    return dt.datetime.fromtimestamp((run.completed_at or run.due_at) / 1000, dt.UTC)


def _page(run: Run, title: str, span: Span, attached: str, link: Link, until: str) -> str:
    """Styles stand at their elements: mail programs take no others."""
    font = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"
    button = (
        "display:inline-block;padding:10px 18px;border-radius:6px;background:#3a6fd8;color:#ffffff;"
        "text-decoration:none;font-weight:600"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(run.name)}</title></head><body style="margin:0;padding:24px;{font};font-size:15px;'
        'line-height:1.5">'
        f'<h1 style="font-size:20px;margin:0 0 4px">{escape(run.name)}</h1>'
        f'<p style="margin:0 0 16px;color:#5a6675">{escape(title)}<br>From {escape(span.first)} To'
        f" {escape(span.last)}</p>"
        f'<p style="margin:0 0 16px">{escape(attached)}</p>'
        f'<p style="margin:0 0 8px"><a href="{escape(link.url)}" style="{button}">Download the report</a></p>'
        f'<p style="margin:0;color:#5a6675;font-size:13px">The link ends {escape(until)}.</p>'
        "</body></html>"
    )


async def send(message: EmailMessage, settings: ReportSettings) -> None:
    """Hand the mail to the server. Raises NotSent."""
    if not settings.smtp_host:
        raise NotSent("no mail server is set; set CDR_SMTP_HOST", lasting=True)
    try:
        async with asyncio.timeout(settings.smtp_timeout_s * 4):
            await aiosmtplib.send(
                message,
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username or None,
                password=settings.smtp_password or None,
                use_tls=settings.smtp_tls == "tls",
                start_tls={"starttls": True, "off": False}.get(settings.smtp_tls),
                timeout=settings.smtp_timeout_s,
            )
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [refused.code for refused in error.recipients]
        why = "; ".join(f"{refused.recipient}: {refused.code} {refused.message}" for refused in error.recipients)
        raise NotSent(f"refused: {why}"[:500], lasting=all(code >= 500 for code in codes)) from error
    except aiosmtplib.SMTPResponseException as error:
        lasting = error.code >= 500
        raise NotSent(f"the mail server says {error.code} {error.message}"[:500], lasting=lasting) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise NotSent(
            f"the mail server {settings.smtp_host}:{settings.smtp_port} does not take it:"
            f" {error or type(error).__name__}"[:500],
            lasting=False,
        ) from error
