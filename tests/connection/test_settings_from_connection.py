from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from airflow.models.connection import Connection as CoreConnection
from airflow.providers.common.compat.sdk import AirflowFailException, Connection, redact
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.connection.form import EXTRA_FIELDS
from airflow_provider_voiso.connection.settings import base_url, mask_key, settings_from_connection
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeConnection = Callable[..., Connection]

KEY = "a387aaf1f101fcfe284aaf61"
NUMBERS = [field for field in EXTRA_FIELDS if field.maximum is not None]
# Airflow 2.11 warns of an extra that is not a JSON object, where 3.x leaves that to the reader.
ignore_what_2_11_says_of_extras = pytest.mark.filterwarnings(
    "ignore:Encountered .*JSON.* in `extra`"
)


def connection_from_uri(uri: str) -> Connection:
    # The Task SDK's own class reads URIs from Airflow 3.2 on only.
    return cast("Connection", CoreConnection(conn_id="voiso_test", uri=uri))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("cc-ams03", "https://cc-ams03.voiso.com"),
        ("CC-AMS03", "https://cc-ams03.voiso.com"),
        ("\t cc-ams03\n", "https://cc-ams03.voiso.com"),
        ("cc-ams03:8443", "https://cc-ams03.voiso.com:8443"),
        ("acme.voiso.com", "https://acme.voiso.com"),
        ("voiso.example.com", "https://voiso.example.com"),
        ("voiso.example.com/", "https://voiso.example.com"),
        ("voiso.example.com:8443", "https://voiso.example.com:8443"),
        ("https://cc-ams03.voiso.com", "https://cc-ams03.voiso.com"),
        ("HTTPS://CC-AMS03.voiso.com/", "https://cc-ams03.voiso.com"),
        ("http://voiso.example.com", "http://voiso.example.com"),
        ("http://simulator:8080", "http://simulator:8080"),
        ("http://voiso_simulator:8080", "http://voiso_simulator:8080"),
        ("localhost", "https://localhost"),
        ("localhost:8080", "https://localhost:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080"),
        ("cluster1.voiso.com.voiso.com", "https://cluster1.voiso.com"),
        ("https://cluster1.voiso.com.voiso.com:444", "https://cluster1.voiso.com:444"),
        ("::1", "https://[::1]"),
        ("[::1]", "https://[::1]"),
        ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
        ("http://2001:DB8::1", "http://[2001:db8::1]"),
    ],
)
def test_host_becomes_base_url(host: str, expected: str) -> None:
    assert base_url(host) == expected


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \n", "empty"),
        ("https://", "not a host name"),
        ("://cc-ams03", "scheme"),
        ("ftp://cc-ams03.voiso.com", "scheme"),
        ("voiso://cc-ams03.voiso.com", "scheme"),
        ("https://cc-ams03.voiso.com/api/v2/cdr", "a path"),
        ("cc-ams03.voiso.com//", "a path"),
        ("cc-ams03.voiso.com?page=1", "a query"),
        ("https://cc-ams03.voiso.com/#top", "a fragment"),
        ("https://me@cc-ams03.voiso.com", "user information"),
        ("https://me:secret@cc-ams03.voiso.com/x", "user information"),
        ("https://cc-ams03.voiso.com/?next=http://elsewhere", "a query"),
        ("cc ams03", "not a host name"),
        ("cc-ams03..voiso.com", "not a host name"),
        ("-cc.voiso.com", "not a host name"),
        ("cc\\ams03", "not a host name"),
        ("größe.example.com", "not a host name"),
        ("cc-ams03:0", "port"),
        ("cc-ams03:65536", "port"),
        ("cc-ams03:https", "port"),
        ("[::1", "IPv6"),
        ("[::1]8080", "IPv6"),
        ("[fe80::1%eth0]", "an escape"),
        ("1:2:3", "IPv6"),
        ("cc\nams03", "not a host name"),
        ("cc\tams03.voiso.com", "not a host name"),
        ("cc-ams03?", "a query"),
        ("cc-ams03#", "a fragment"),
        ("cc-ams03:80:", "IPv6"),
        ("\u2100.example.com", "not a host name"),
        ("secret]", "not a"),
    ],
)
def test_host_that_is_refused(
    host: str | None, complaint: str, make_connection: MakeConnection
) -> None:
    with pytest.raises(VoisoConfigurationError, match=complaint) as caught:
        settings_from_connection(make_connection(host=host))
    message = str(caught.value)
    assert message.startswith("The host of the connection 'voiso_test' ")
    assert isinstance(caught.value, AirflowFailException)
    for secret in ("secret", "page=1", "me@", "elsewhere"):
        assert secret not in message


@pytest.mark.parametrize(
    ("host", "schema", "port", "expected"),
    [
        ("simulator", "http", 8080, "http://simulator:8080"),
        ("voiso.example.com", "HTTPS", None, "https://voiso.example.com"),
        ("https://voiso.example.com", "https", 8443, "https://voiso.example.com:8443"),
        ("voiso.example.com:8443", "", 8443, "https://voiso.example.com:8443"),
        ("http://::1", None, 8080, "http://[::1]:8080"),
        ("cc-ams03", None, 443, "https://cc-ams03.voiso.com:443"),
    ],
)
def test_schema_and_port_fields(
    host: str, schema: str | None, port: int | None, expected: str
) -> None:
    assert base_url(host, schema, port) == expected


@pytest.mark.parametrize(
    ("host", "schema", "port", "complaint"),
    [
        ("cc-ams03", "api/v2/cdr", None, "path"),
        ("https://voiso.example.com", "http", None, "another scheme"),
        ("voiso.example.com:8443", None, 443, "another port"),
        ("cc-ams03", None, 0, "port"),
    ],
)
def test_schema_and_port_that_contradict(
    host: str, schema: str | None, port: int | None, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        base_url(host, schema, port)


@given(
    st.one_of(
        st.text(),
        st.text("abz09.-_:/[]@?#% ", max_size=20),
        st.from_regex(r"(https?://)?[a-z.:\[\]0-9]{1,9}"),
    )
)
def test_base_url_is_bare_origin(host: str) -> None:
    try:
        url = base_url(host)
    except ValueError:
        return
    parts = urlsplit(url)
    assert (parts.path, parts.query, parts.fragment, parts.username) == ("", "", "", None)
    assert parts.hostname
    assert parts.scheme == ("http" if host.strip().lower().startswith("http://") else "https")
    assert base_url(url) == url


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("voiso://:{key}@cc-ams03", Settings("https://cc-ams03.voiso.com", KEY)),
        (
            "voiso://:{key}@voiso.example.com:8443/?timezone=Europe%2FBerlin&per_page=500",
            Settings("https://voiso.example.com:8443", KEY, timezone="Europe/Berlin", per_page=500),
        ),
        (
            "voiso://http://:{key}@127.0.0.1:8080/?verify=false&timeout=2.5",
            Settings("http://127.0.0.1:8080", KEY, verify=False, timeout=2.5),
        ),
        ("voiso://:{key}@simulator:8080/http", Settings("http://simulator:8080", KEY)),
        ("voiso://http://:{key}@[::1]:8080", Settings("http://[::1]:8080", KEY)),
        ("voiso://:{key}@http%3A%2F%2F127.0.0.1%3A8080/", Settings("http://127.0.0.1:8080", KEY)),
    ],
)
def test_connection_uri_is_read(uri: str, expected: Settings) -> None:
    assert settings_from_connection(connection_from_uri(uri.format(key=KEY))) == expected


def test_form_defaults_match_settings(make_connection: MakeConnection) -> None:
    filled = {field.name: field.default for field in EXTRA_FIELDS}
    bare = settings_from_connection(make_connection())
    assert bare == Settings("https://cc-ams03.voiso.com", KEY)
    assert settings_from_connection(make_connection(extra=json.dumps(filled))) == bare
    assert (
        settings_from_connection(make_connection(extra=json.dumps(dict.fromkeys(filled, " "))))
        == bare
    )


def plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else str(value)


valid_extras = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from(
            ["auto", "UTC", "Europe/Berlin", "America/Sao_Paulo", "Etc/GMT+3"]
        ),
        "longest_interaction": st.floats(0, 8784),
        "per_page": st.integers(1, 10_000),
        "timeout": st.floats(0.1, 3600),
        "max_retries": st.integers(0, 100),
        "max_connections": st.integers(1, 64),
        "requests_per_second": st.floats(0.001, 1000),
        "verify": st.booleans(),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=valid_extras, as_text=st.booleans(), prefixed=st.booleans(), as_uri=st.booleans())
def test_values_survive_every_storage(
    *,
    values: dict[str, Any],
    as_text: bool,
    prefixed: bool,
    as_uri: bool,
    make_connection: MakeConnection,
) -> None:
    stored = {
        f"extra__voiso__{name}" if prefixed else name: plain(value) if as_text else value
        for name, value in values.items()
    }
    conn = make_connection(extra=json.dumps(stored))
    if as_uri:
        conn = connection_from_uri(conn.get_uri())
    assert settings_from_connection(conn) == Settings("https://cc-ams03.voiso.com", KEY, **values)


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    st.one_of(
        st.integers(),
        st.floats(),
        st.booleans(),
        st.text(max_size=8),
        st.lists(st.integers(), max_size=2),
    )
)
def test_number_lies_in_range(field: Any, make_connection: MakeConnection, value: Any) -> None:
    assume(not (isinstance(value, str) and not value.strip()))
    conn = make_connection(extra=json.dumps({field.name: value}))
    number = float("nan")
    with suppress(TypeError, ValueError, OverflowError):
        number = float(value)
    whole = field.type == "integer"
    in_range = field.minimum <= number <= field.maximum and not isinstance(value, bool)
    if in_range and (number.is_integer() or not whole):
        read = getattr(settings_from_connection(conn), field.name)
        assert read == number
        assert type(read) is (int if whole else float)
    else:
        with pytest.raises(VoisoConfigurationError, match=field.name):
            settings_from_connection(conn)


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (
            '{"timezon": "UTC"}',
            r"unknown field 'timezon'\. Known are timezone, longest_interaction",
        ),
        ('{"extra__http__timeout": "5"}', "unknown field 'extra__http__timeout'"),
        ('{"timezone": "Europe/Atlantis"}', "'timezone'.*IANA name"),
        ('{"timezone": "Europe"}', "'timezone'"),
        ('{"timezone": "/etc/passwd"}', "'timezone'"),
        ('{"timezone": "+03:00"}', "'timezone'"),
        ('{"timezone": 3}', "'timezone'"),
        ('{"per_page": 0}', "'per_page' that is not a whole number from 1 to 10000"),
        ('{"per_page": "10001"}', "'per_page'"),
        ('{"per_page": 2.5}', "'per_page'"),
        ('{"per_page": true}', "'per_page'"),
        ('{"timeout": 0}', "'timeout' that is not a number from 0.1 to 3600"),
        ('{"timeout": "nan"}', "'timeout'"),
        ('{"timeout": Infinity}', "'timeout'"),
        ('{"max_connections": -1}', "'max_connections'"),
        ('{"requests_per_second": 0}', "'requests_per_second'"),
        ('{"verify": "no"}', "'verify'.*CA bundle"),
        ('{"verify": "/nowhere/ca.pem"}', "'verify'"),
        ('{"verify": "\\u0000"}', "'verify'"),
        ('{"per_page": 5, "extra__voiso__per_page": 6}', "twice"),
        ("[1]", "not a JSON object"),
        ("timezone=UTC", "not a JSON object"),
    ],
)
@ignore_what_2_11_says_of_extras
def test_extra_that_is_refused(extra: str, complaint: str, make_connection: MakeConnection) -> None:
    with pytest.raises(VoisoConfigurationError, match=complaint) as caught:
        settings_from_connection(make_connection(extra=extra))
    assert str(caught.value).startswith("The extra of the connection 'voiso_test' ")


def test_verify_takes_existing_bundle(tmp_path: Path, make_connection: MakeConnection) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    conn = make_connection(extra=json.dumps({"verify": f" {bundle} "}))
    assert settings_from_connection(conn).verify == str(bundle)


@pytest.mark.parametrize("password", [None, "", " \n", "two words", "two\nlines"])
def test_key_that_is_refused(password: str | None, make_connection: MakeConnection) -> None:
    with pytest.raises(
        VoisoConfigurationError, match=r"^The password of the connection 'voiso_test' .*API key"
    ):
        settings_from_connection(make_connection(password=password))


def test_key_is_stripped(make_connection: MakeConnection) -> None:
    assert settings_from_connection(make_connection(password=f" {KEY}\n")).key == KEY


@pytest.mark.parametrize(
    "fields",
    [
        {"host": f"https://{KEY}@cc-ams03"},
        {"host": f"cc-ams03/?key={KEY}"},
        {"host": f"{KEY}://cc-ams03"},
        {"host": f"cc-ams03:{KEY}"},
        {"host": f"[{KEY}]"},
        {"host": f"{KEY}!"},
        {"schema": KEY},
        {"extra": KEY},
        {"extra": json.dumps([KEY])},
        {"extra": json.dumps({KEY: 1})},
        {"extra": json.dumps({f"cut@{KEY}": ""})},
        *({"extra": json.dumps({field.name: KEY})} for field in EXTRA_FIELDS),
    ],
)
@ignore_what_2_11_says_of_extras
def test_errors_hide_misplaced_key(fields: dict[str, str], make_connection: MakeConnection) -> None:
    with pytest.raises(VoisoConfigurationError) as caught:
        settings_from_connection(make_connection(**fields))
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_read_key_is_masked(make_connection: MakeConnection) -> None:
    key = "b498bbf2a212adaf395bba72"
    settings_from_connection(make_connection(password=key))
    assert redact(f"key={key}&page=1") == "key=***&page=1"


@pytest.mark.parametrize(
    "encode", [str, quote_plus, lambda key: quote(key, safe="")], ids=["as is", "+", "%20"]
)
def test_encoded_key_is_masked(encode: Callable[[str], str]) -> None:
    key = "sl/ash two+words~tilde&amp=é"
    mask_key(key)
    assert (
        redact(f"GET /api/v2/cdr?page=1&key={encode(key)}&x=1")
        == "GET /api/v2/cdr?page=1&key=***&x=1"
    )
