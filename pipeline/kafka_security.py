"""TLS and SASL towards Kafka: what clients are given, and why a broker refuses them."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from typing import Any, Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from pipeline.errors import DEPENDENCY, USAGE, Problem
from pipeline.settings import Settings
from pipeline.settings.kafka import KafkaSettings

_TRIAL_MS: Final = 5_000
_PROTOCOL: Final = "CDR_KAFKA_SECURITY_PROTOCOL"
_WRONG_USER: Final = (AuthenticationFailedError, SaslAuthenticationFailed)
_WRONG_WAY: Final = (UnsupportedSaslMechanismError, AuthenticationMethodNotSupported)


class KafkaRefused(Problem):
    """Kafka is there and does not let us in: waiting will not mend it."""


def options(settings: KafkaSettings) -> dict[str, Any]:
    """What an aiokafka client is given beside its servers. Raises `Problem` when the settings do not fit together."""
    protocol = settings.kafka_security_protocol
    found: dict[str, Any] = {"security_protocol": protocol}
    if "SSL" in protocol:
        found["ssl_context"] = _context(
            settings.kafka_ca, settings.kafka_certificate, settings.kafka_key, settings.kafka_key_password
        )
    if "SASL" in protocol:
        if not settings.kafka_sasl_username or not settings.kafka_sasl_password:
            raise Problem(
                f"{_PROTOCOL} is {protocol}, and there is no user to log in as.",
                hint="Set CDR_KAFKA_SASL_USERNAME and CDR_KAFKA_SASL_PASSWORD.",
                code=USAGE,
            )
        found |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password,
        }
    elif settings.kafka_sasl_username:
        raise Problem(
            f"CDR_KAFKA_SASL_USERNAME is set, and {_PROTOCOL} is {protocol}: nobody would log in.",
            hint=f"Set {_PROTOCOL} to SASL_SSL, or unset the user.",
            code=USAGE,
        )
    return found


async def refusal(settings: Settings) -> KafkaRefused | None:
    """Why the brokers do not let us in, found by trying each; None when one does, or none is there at all."""
    given = options(settings)
    for server in settings.kafka.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(_TRIAL_MS / 1000):
                connection = await create_conn(
                    host.strip("[]"),
                    int(port),
                    ssl_context=given.get("ssl_context"),
                    security_protocol=given["security_protocol"],
                    sasl_mechanism=given.get("sasl_mechanism"),
                    sasl_plain_username=given.get("sasl_plain_username"),
                    sasl_plain_password=given.get("sasl_plain_password"),
                    request_timeout_ms=_TRIAL_MS,
                )
        except (OSError, KafkaError, ValueError) as error:
            if (found := _reason(settings, server.strip(), error)) is not None:
                return found
        else:
            connection.close()
            return None
    return None


def _reason(settings: KafkaSettings, server: str, error: BaseException) -> KafkaRefused | None:
    """The error as what to do about it; None for a broker that is away."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = (error.verify_message or str(error)).rstrip(".")
        if "mismatch" in why or "doesn't match" in why or "not valid for" in why:
            hint = "Set CDR_KAFKA to the name in the certificate, or have one made for this name."
        else:
            ca = settings.kafka_ca or "the system's authorities"
            hint = f"Set CDR_KAFKA_CA to the PEM file of the authority that signed it (now: {ca})."
        return _refused(f"The certificate of Kafka at {server} is not trusted: {why}.", hint)
    if isinstance(error, ssl.SSLError):
        why = error.reason or "TLS failed"
        if why == "WRONG_VERSION_NUMBER":
            hint = f"Set {_PROTOCOL} to PLAINTEXT or SASL_PLAINTEXT, or CDR_KAFKA to the broker's TLS listener."
            return _refused(f"Kafka does not speak TLS at {server}.", hint)
        hint = "Does the broker want a certificate of ours? Set CDR_KAFKA_CERTIFICATE and CDR_KAFKA_KEY."
        return _refused(f"TLS with Kafka at {server} failed: {why}.", hint)
    if isinstance(error, _WRONG_USER):
        return _refused(
            f"Kafka at {server} refuses the user {settings.kafka_sasl_username!r}: unknown, or a wrong password.",
            f"Set CDR_KAFKA_SASL_USERNAME and CDR_KAFKA_SASL_PASSWORD as the broker knows them "
            f"for {settings.kafka_sasl_mechanism}.",
        )
    if isinstance(error, _WRONG_WAY):
        said = str(error).splitlines()[0][:200]
        return _refused(
            f"Kafka at {server} does not take {settings.kafka_sasl_mechanism}: {said}.",
            "Set CDR_KAFKA_SASL_MECHANISM to one that it takes.",
        )
    if isinstance(error, ConnectionResetError | asyncio.IncompleteReadError) or "closed" in str(error).lower():
        hint = f"Does that listener want TLS or SASL? Set {_PROTOCOL} as it does."
        return _refused(f"Kafka at {server} ends the connection when {settings.kafka_security_protocol} begins.", hint)
    return None


def _refused(message: str, hint: str) -> KafkaRefused:
    return KafkaRefused(message, hint=hint, code=DEPENDENCY)


@lru_cache(maxsize=4)
def _context(ca: str, certificate: str, key: str, key_password: str) -> ssl.SSLContext:
    """TLS 1.2 or later, with the broker's name and certificate checked."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise _unreadable("CDR_KAFKA_CA", ca, error) from None
    if certificate:
        try:
            context.load_cert_chain(certificate, key or None, key_password or None)
        except (OSError, ssl.SSLError) as error:
            raise _unreadable("CDR_KAFKA_CERTIFICATE", certificate, error) from None
    return context


def _unreadable(name: str, path: str, error: Exception) -> Problem:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "it holds no such thing"
    return Problem(f"{name} {path!r} cannot be used: {why}.", hint="Give the path of a PEM file.", code=USAGE)
