"""Kafka: brokers, security, topics, groups."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.settings.base import Group


class KafkaSettings(Group):
    """Kafka: brokers, security, topics, groups."""

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
    session_timeout_s: float = Field(10.0, gt=1, description="Group session timeout.")
    rebalance_timeout_s: float = Field(30.0, gt=1, description="Group rebalance timeout.")
    lost_events: str = Field(
        "stop", pattern="^(stop|skip)$", description="When Kafka dropped records unread: stop the worker, or skip them."
    )
