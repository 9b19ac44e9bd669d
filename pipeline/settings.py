"""Settings: the same names in the environment, in compose and in the Helm chart."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting is an environment variable with the prefix `CDR_`."""

    model_config = SettingsConfigDict(env_prefix="CDR_", env_file=".env", extra="ignore")

    # Kafka
    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers, comma-separated host:port.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to: SSL is TLS, SASL a user and a password."
    )
    kafka_ca: str = Field(
        "", description="PEM file of the authority of the brokers' certificates; empty: the system's."
    )
    kafka_certificate: str = Field("", description="PEM file of our own certificate, for brokers that ask for one.")
    kafka_key: str = Field("", description="PEM file of its key; empty: it is in the same file.")
    kafka_key_password: str = Field("", repr=False, description="Password of the key (secret).")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the user proves its password; PLAIN only over TLS."
    )
    kafka_sasl_username: str = Field("", description="User of the brokers.")
    kafka_sasl_password: str = Field("", repr=False, description="Its password (secret).")
    group: str = Field("cdr-worker", description="Consumer group of the workers.")
    group_instance: str = Field("", description="Static group membership id (KIP-345); empty for none.")
    events_topic: str = Field("call-events", description="Canonical call events, key = call_id.")
    sip_topic: str = Field("sip-messages", description="HEP version 3 packets, key = SIP call.")
    freeswitch_topic: str = Field("freeswitch-events", description="FreeSWITCH: event JSON, mod_json_cdr; key = call.")
    asterisk_topic: str = Field("asterisk-events", description="Asterisk: CEL, AMI, ARI as JSON; key = call.")
    kamailio_topic: str = Field(
        "kamailio-events", description="Kamailio, OpenSIPS: acc, dialog as JSON; key = Call-ID."
    )
    portsip_topic: str = Field("portsip-events", description="PortSIP: live events, key = call.")
    yeastar_topic: str = Field("yeastar-events", description="Yeastar: live events, key = call.")
    cdrs_topic: str = Field("cdrs", description="Change feed: calls as JSON, key = call_id.")
    dead_letters_topic: str = Field("dead-letters", description="What could not be decoded.")
    partitions: int = Field(4, ge=1, le=1024, description="Partitions of topics that are created.")
    replication: int = Field(1, ge=1, description="Replication factor of topics that are created.")
    idempotent_producer: bool = Field(
        True, description="Producers retry without doubling; off only for a broker that cannot, as the embedded one."
    )
    session_timeout_s: float = Field(10.0, gt=1, description="Group session timeout.")
    rebalance_timeout_s: float = Field(30.0, gt=1, description="Group rebalance timeout.")

    lost_events: str = Field(
        "stop", pattern="^(stop|skip)$", description="When Kafka dropped records unread: stop the worker, or skip them."
    )

    # ClickHouse
    clickhouse: str = Field(
        "http://127.0.0.1:8123",
        repr=False,
        description="URL: http(s)://user:password@host:port; over TLS ?ca_cert=FILE is its authority's PEM.",
    )
    database: str = Field("cdr", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Database name.")

    # Calls
    tenant: str = Field("default", description="Tenant of raw sources that carry none.")
    zone: str = Field("UTC", description="IANA zone of local times that a PBX writes without one.")
    zones: dict[str, str] = Field({}, description='The same for single nodes, as JSON: {"pbx-2": "Europe/Paris"}.')
    join_sip_ids: bool = Field(
        False, description="Calls through several FreeSWITCH nodes are one by SIP Call-ID; a look-up for each call."
    )
    country: str = Field("", description="ISO country for numbers without country code.")
    grace_s: float = Field(300.0, ge=0, description="How long a closed call stays in memory.")
    open_limit_s: float = Field(4 * 3600.0, gt=0, description="A call silent for so long is closed as incomplete.")
    max_events_per_call: int = Field(20_000, ge=10, description="Further events of one call are dead letters.")

    # Worker
    batch_events: int = Field(30_000, ge=1, description="Most events of one batch.")
    batch_wait_s: float = Field(0.02, ge=0, description="How long a batch waits to fill when events trickle.")
    metrics_host: str = Field("127.0.0.1", description="Where the worker serves /metrics and health.")
    metrics_port: int = Field(9464, ge=0, le=65535)
    retention_days: int = Field(0, ge=0, description="Calls older than this are dropped; 0 keeps all.")
    archive_retention_days: int = Field(
        0, ge=0, description="Archived events older than this are dropped; 0 keeps all."
    )

    # Query service
    api_host: str = Field("127.0.0.1")
    api_port: int = Field(8000, ge=0, le=65535)
    api_rate: int = Field(60_000, ge=0, description="Requests a minute of one token or address; 0: any number.")
    api_concurrent: int = Field(64, ge=1, description="Requests of one token under way; more are told to wait.")
    api_streams: int = Field(4, ge=1, description="Files of one tenant under way; more are told to wait.")
    api_followers: int = Field(32, ge=1, description="Streams of changes of one tenant; more are told to wait.")
    oidc_issuer: str = Field("", description="OpenID Connect provider whose JWTs are good tokens, too; empty: none.")
    oidc_audience: str = Field("", description="What the provider's tokens must have in aud.")
    oidc_jwks_url: str = Field("", description="Where its keys are; empty: as its discovery document says.")
    oidc_tenant_claim: str = Field("tenant", description="Claim with the tenant; a.b is member b of claim a.")
    oidc_scope_claim: str = Field("scope", description="Claim with the scopes, a text of words or a list.")
    oidc_role_claim: str = Field("role", description="Claim with the role: admin, manager or user.")
    oidc_extension_claim: str = Field("extension", description="Claim with the extension of a user.")
    mask_numbers: bool = Field(False, description="Mask phone numbers for tokens without the scope numbers:clear.")
    portsip_blanks: Literal["omit", "empty"] = Field(
        "omit",
        description="An unknown end_reason, reroute_reason or outbound_caller_id under /api: omit is valid by "
        "PortSIP's schema, empty sends an empty text as its servers do.",
    )

    # Files
    export_days: int = Field(7, ge=1, description="How long an export is kept.")
    files: str = Field("", description="Where exports and reports go: a folder or an fsspec URL; empty: data/files.")

    # HTTP ingest, part of the query service
    ingest_max_mb: int = Field(8, ge=1, le=1024, description="Largest body of POST /ingest.")
    ingest_max_events: int = Field(10_000, ge=1, description="Most events in one body of POST /ingest.")
    ingest_waiting_mb: int = Field(64, ge=1, description="Memory for what came by HTTP and waits for Kafka.")

    # Reports
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

    # Webhooks and privacy
    webhook_retry_s: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        pattern=r"^\d+(\.\d+)?(,\d+(\.\d+)?)*$",
        description="Seconds to wait after each failed attempt of a webhook; after the last it is a dead letter.",
    )
    webhook_timeout_s: float = Field(15.0, gt=0, le=120, description="How long a webhook's receiver may take.")
    webhook_private: bool = Field(False, description="Webhooks may go to private and loopback addresses.")
    erasure_key: str = Field(
        "",
        repr=False,
        description="Key of the hashes of erased numbers (secret); empty: a random one that is thrown away.",
    )

    ipcortex_days: Literal["forward", "back"] = Field(
        "forward", description="ipcortex reports of several days: from `day` onwards, or up to it."
    )
    ipcortex_lock: bool = Field(False, description="A second ipcortex report at the same time is told to retry.")

    # HEP listener
    hep_host: str = Field("0.0.0.0")
    hep_port: int = Field(9060, ge=0, le=65535)
    hep_password: str = Field(
        "", repr=False, description="Capture password; packets with another are refused. Empty: any."
    )
    hep_waiting_mb: int = Field(64, ge=1, description="Memory for packets that wait for Kafka; more are dropped.")
    hep_metrics_port: int = Field(9465, ge=-1, le=65535, description="Where the listener serves /metrics; -1: nowhere.")

    # FreeSWITCH and Asterisk, read over their own interfaces
    freeswitch_host: str = Field(
        "127.0.0.1",
        repr=False,
        description="Nodes, comma-separated: [name=][password@]host[:port] of the event socket.",
    )
    freeswitch_port: int = Field(8021, ge=1, le=65535, description="Port of event sockets that are given without one.")
    freeswitch_password: str = Field(
        "ClueCon", repr=False, description="Password of event sockets that are given without one."
    )
    freeswitch_metrics_port: int = Field(
        9466, ge=0, le=65535, description="Where cdr freeswitch serves /metrics and health."
    )
    asterisk_host: str = Field(
        "127.0.0.1",
        repr=False,
        description="Nodes, comma-separated: [name=][user:password@]host[:port] of the manager interface.",
    )
    asterisk_port: int = Field(5038, ge=1, le=65535, description="Port of managers that are given without one.")
    asterisk_user: str = Field("cdr", description="Manager user where none is given.")
    asterisk_password: str = Field("", repr=False, description="Its password (secret).")
    asterisk_metrics_port: int = Field(
        9467, ge=0, le=65535, description="Where cdr asterisk serves /metrics and health."
    )
    bridge_waiting_mb: int = Field(
        64, ge=1, description="Memory for events that wait for Kafka; beyond it the PBX is read no further."
    )

    # Embedded
    data: Path = Field(Path("data"), description="Data directory of the one-machine product.")
    log_level: str = Field("info")


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
