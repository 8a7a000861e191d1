"""Conversion of an Airflow connection to the settings of a client.

It is lenient about spelling and strict about meaning. No message repeats the content of a field: it
may be a key that was pasted into the wrong one.
"""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, quote_plus, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_voiso.api.settings import AUTO, Settings
from airflow_provider_voiso.compat.secrets import mask_secret
from airflow_provider_voiso.connection.form import CONNECTION_TYPE, EXTRA_FIELDS, ExtraField
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Connection

VENDOR_DOMAIN = ".voiso.com"
_HOST_FORMS = (
    "Write a cluster id, a host name or a URL, such as cc-ams03, voiso.example.com or "
    "https://voiso.example.com:8443"
)
_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)


def settings_from_connection(conn: Connection) -> Settings:
    """Return the settings of a connection of type ``voiso``, and mask its key in the logs.

    :param conn: host, password, port, schema and extra are read; login is ignored
    :raises VoisoConfigurationError: names the connection, the field and what may stand there
    """
    key = _checked(conn, "password", _key, conn.password)
    mask_key(key)
    return Settings(
        base_url=_checked(conn, "host", base_url, conn.host, conn.schema, conn.port),
        key=key,
        **_checked(conn, "extra", _extra, conn.extra),
    )


def base_url(host: str | None, schema: str | None = None, port: int | str | None = None) -> str:
    """Return scheme, host and port of the API, as a connection's host, schema and port give them.

    A single name without a scheme, other than ``localhost``, is a cluster id below ``voiso.com``.
    The scheme is https unless the host starts with ``http://`` or the schema is ``http``, as in the
    URI ``voiso://:KEY@simulator:8080/http``. The vendor's page writes the domain twice in one
    place, so a doubled domain is accepted.

    :param host: cluster id, host name, IP address or URL without a path
    :param schema: ``http``, ``https`` or empty; Airflow fills it from the path of a connection URI
    :param port: used when the host has none; Airflow fills it from a connection URI
    :raises ValueError: says what to write instead, without repeating the host
    """
    text = (host or "").strip().lower()
    if not text:
        raise ValueError(f"is empty. {_HOST_FORMS}.")
    has_scheme = "://" in text
    parts = _split(text if has_scheme else f"//{text}")
    scheme = _scheme(parts.scheme, has_scheme, (schema or "").strip().strip("/").lower())
    _refuse_more_than_host(text, parts)
    name, own_port = _split_port(parts.netloc)
    if _NAME.fullmatch(name) and not scheme and "." not in name and name != "localhost":
        name += VENDOR_DOMAIN
    while name.endswith(VENDOR_DOMAIN * 2):
        name = name.removesuffix(VENDOR_DOMAIN)
    ports = {_port(value) for value in (own_port, port) if value not in {None, ""}}
    if len(ports) > 1:
        raise ValueError(
            "names another port than the connection's port field. Leave the port field empty."
        )
    return f"{scheme or 'https'}://{name}" + "".join(f":{number}" for number in ports)


def mask_key(key: str) -> None:
    """Mask the key in logs, plain and as encoded in a URL's query.

    Airflow masks nothing that is shorter than five characters.
    """
    for form in {key, quote(key, safe=""), quote_plus(key)}:
        mask_secret(form)


def _checked(conn: Connection, field: str, parse: Callable[..., Any], *values: Any) -> Any:
    try:
        return parse(*values)
    except ValueError as error:
        message = str(error)
    raise VoisoConfigurationError(f"The {field} of the connection {conn.conn_id!r} {message}")


def _key(password: str | None) -> str:
    key = (password or "").strip()
    if not key:
        raise ValueError(
            "is empty. Write the API key of one Voiso user there; in a URI: voiso://:KEY@HOST."
        )
    if not key.isprintable() or " " in key:
        raise ValueError("holds a blank or a line break. Write only the API key there.")
    return key


def _scheme(own: str, has_own: bool, schema: str) -> str:
    if schema not in {"", "http", "https"}:
        raise ValueError(
            "is followed by a path, in the connection's schema field. Leave that field empty, or "
            "write http or https there."
        )
    if has_own and own not in {"http", "https"}:
        raise ValueError(f"starts with a scheme other than http or https. {_HOST_FORMS}.")
    if own and schema and own != schema:
        raise ValueError(
            "starts with another scheme than the connection's schema field has. Leave that field "
            "empty."
        )
    return own or schema


def _split(text: str) -> SplitResult:
    try:
        # urlsplit silently drops line breaks and tabs, so they are refused here.
        if text.isprintable():
            return urlsplit(text)
    except ValueError:
        pass
    kind = (
        "an IPv6 address, though it looks like one" if "[" in text or "]" in text else "a host name"
    )
    raise ValueError(f"is not {kind}. {_HOST_FORMS}.")


def _refuse_more_than_host(text: str, parts: SplitResult) -> None:
    for is_there, what in (
        ("@" in parts.netloc, "user information"),
        ("?" in text, "a query"),
        ("#" in text, "a fragment"),
        (parts.path not in {"", "/"}, "a path"),
        ("%" in text, "an escape"),
    ):
        if is_there:
            raise ValueError(
                f"holds {what}. {_HOST_FORMS}, and nothing more; the API key goes into the "
                "password."
            )


def _split_port(authority: str) -> tuple[str, str | None]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", authority)
    if bracketed or authority.count(":") > 1:
        # Airflow removes the brackets and the port from an address in a connection URI.
        address = bracketed[1] if bracketed else authority
        try:
            host = f"[{ipaddress.IPv6Address(address).compressed}]"
        except ValueError:
            raise ValueError(
                f"is not an IPv6 address, though it looks like one. {_HOST_FORMS}."
            ) from None
        return host, bracketed[2] if bracketed else None
    name, separator, port = authority.partition(":")
    if not _NAME.fullmatch(name):
        raise ValueError(f"is not a host name. {_HOST_FORMS}.")
    return name, port if separator else None


def _port(value: int | str | None) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("has a port that is not a number from 1 to 65535.")
    return int(text)


def _extra(text: str | None) -> dict[str, Any]:
    try:
        values = json.loads(text) if text and text.strip() else {}
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ValueError(  # noqa: TRY004 - whatever a person wrote there is a value
            'is not a JSON object. Write one such as {"timezone": "UTC"}, or nothing.'
        )
    known = {field.name: field for field in EXTRA_FIELDS}
    settings: dict[str, Any] = {}
    for name, value in values.items():
        # Airflow before 2.3 stored the fields of the form under prefixed names, and keeps them on
        # an upgrade.
        field = known.get(name.removeprefix(f"extra__{CONNECTION_TYPE}__"))
        if field is None:
            # A badly quoted URI can leave a part of the key here, and a key holds digits.
            shown = repr(name) if re.fullmatch("[A-Za-z_]{1,40}", name) else "that is no name"
            raise ValueError(f"holds an unknown field {shown}. Known are {', '.join(known)}.")
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if field.name in settings:
            raise ValueError(
                f"holds {field.name!r} twice, with and without a prefix. Remove the prefixed one."
            )
        parse: Callable[[ExtraField, Any], Any] = _PARSERS.get(field.name, _number)
        settings[field.name] = parse(field, value)
    return settings


def _number(field: ExtraField, value: Any) -> Any:
    try:
        # Python reads more spellings of a number than msgspec does.
        number = float(value) if isinstance(value, str) else value
        return msgspec.convert(number, field.hint, strict=False)
    except (ValueError, OverflowError, msgspec.ValidationError):
        kind = "a whole number" if field.type == "integer" else "a number"
        raise ValueError(
            f"holds a {field.name!r} that is not {kind} from {field.minimum:g} to "
            f"{field.maximum:g}."
        ) from None


def _timezone(field: ExtraField, value: Any) -> str:
    name = str(value).strip()
    if name.lower() == AUTO:
        return AUTO
    try:
        ZoneInfo(name)
    # KeyError: an unknown zone; the others: a folder of zones, or a file that is no zone.
    except (KeyError, ValueError, OSError):
        name = ""
    if not name:
        raise ValueError(
            f"holds a {field.name!r} that this machine does not know. Write auto, or an IANA name "
            "such as UTC or Europe/Berlin."
        )
    return name


def _verify(field: ExtraField, value: Any) -> bool | str:
    text = str(value).strip()
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        found = Path(text).exists()
    except (OSError, ValueError):
        found = False
    if not found:
        raise ValueError(
            f"holds a {field.name!r} that is neither true nor false nor the path of a CA bundle on "
            "this machine."
        )
    return text


_PARSERS: dict[str, Callable[[ExtraField, Any], Any]] = {"timezone": _timezone, "verify": _verify}
