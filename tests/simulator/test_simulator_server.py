from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import airflow_provider_voiso
from airflow_provider_voiso import simulator as simulator_package
from airflow_provider_voiso.simulator import Drift, Readings, Simulator
from tests.simulator.simulator_client import (
    CDR,
    DAY,
    END,
    START,
    UTC,
    Got,
    all_uuids,
    ask,
    command_line,
    connect,
    send,
    truth,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

AWKWARD = "k+y/=%26 é&x#;"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    teams = {"team-key": [3, 4]}
    with Simulator(
        key=AWKWARD, team_keys=teams, forbidden_keys=["no-rights"], records_per_day=300
    ) as running:
        yield running


@pytest.mark.parametrize(
    ("params", "status", "message"),
    [
        ({"key": "wrong"}, 401, "Invalid User API Key"),
        ({}, 401, "Invalid User API Key"),
        ({"key": "no-rights"}, 403, "Access denied"),
        ({"key": AWKWARD}, 200, None),
    ],
)
@pytest.mark.parametrize("path", [CDR, f"{CDR}/queues"])
def test_keys_and_their_rights(
    simulator: Simulator, path: str, params: dict[str, str], status: int, message: str | None
) -> None:
    got = send(simulator, path, params)
    assert got.status == status
    if message:
        assert got.json == {"error": message}


def test_wrong_key_with_status_200() -> None:
    with Simulator(readings=Readings(invalid_key_status=200)) as voiso:
        got = send(voiso, CDR, {"key": "wrong"})
        assert (got.status, got.json) == (200, {"error": "Invalid User API Key"})


def test_rights_narrow_rows_and_lists(simulator: Simulator) -> None:
    got = send(simulator, CDR, {"key": "team-key", **DAY})
    assert set(got.uuids) == simulator.truth(START, END, {"team_ids": "3,4"}).keys()
    assert set(got.uuids) == simulator.truth(START, END, key="team-key").keys()
    assert 0 < len(got.uuids) < len(truth(simulator))
    assert {t["id"] for t in send(simulator, f"{CDR}/teams", {"key": "team-key"}).json} == {3, 4}
    assert (
        0
        < len(send(simulator, f"{CDR}/agents", {"key": "team-key"}).json)
        < len(reference(simulator, "agents"))
    )


@pytest.mark.parametrize(
    "path", ["/", "/api/v2/cdr/", "/api/v2/cdr/colours", "/api/v4/reporting/cdrs", "/_simulator/no"]
)
def test_other_paths_are_not_found(simulator: Simulator, path: str) -> None:
    assert send(simulator, path, {"key": AWKWARD}).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_not_allowed(simulator: Simulator, method: str) -> None:
    got = send(
        simulator, CDR, {"key": AWKWARD}, method=method, body="{}" if method == "POST" else None
    )
    assert (got.status, got.headers["Allow"]) == (405, "GET")


def reference(simulator: Simulator, name: str) -> Any:
    return send(simulator, f"{CDR}/{name}", {"key": simulator.key}).json


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("teams", ["name", "id"]),
        ("deleted_agents", ["id", "name"]),
        ("wrapup_codes", ["description", "code"]),
        ("queues", ["id", "name"]),
        ("agents", ["id", "name"]),
        ("campaigns", ["id", "name"]),
    ],
)
def test_reference_lists_are_served(simulator: Simulator, name: str, fields: list[str]) -> None:
    bare = reference(simulator, name)
    assert len(bare) > 1
    assert all(list(item) == fields for item in bare)
    with Simulator(readings=Readings(references="wrapped")) as voiso:
        documented = name in {"teams", "deleted_agents", "wrapup_codes"}
        assert reference(voiso, name) == (bare if documented else {name: bare})


def test_records_name_listed_objects(simulator: Simulator) -> None:
    records = [json.loads(raw) for raw in truth(simulator).values()]
    people = {
        item["id"]: item["name"]
        for name in ("agents", "deleted_agents")
        for item in reference(simulator, name)
    }
    queues = {item["name"] for item in reference(simulator, "queues")}
    codes = {item["code"] for item in reference(simulator, "wrapup_codes")}
    assert {(r["agent_id"], r["agent"]) for r in records if r["agent_id"]} <= set(people.items())
    assert {r["queue"] for r in records if r.get("queue")} <= queues
    assert {r["wrapup_code"] for r in records if r["wrapup_code"]} <= codes


def test_one_connection_serves_many_requests(simulator: Simulator) -> None:
    connection = connect(simulator)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for path in (f"{CDR}/teams", CDR, "/nowhere", f"{CDR}/queues"):
        connection.request(
            "GET", f"{path}?{urlencode({'key': AWKWARD, **(DAY if path == CDR else {})})}"
        )
        connection.getresponse().read()
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_concurrent_clients_see_the_same(simulator: Simulator) -> None:
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(ask(simulator, **DAY).uuids)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 8


def test_log_never_shows_keys() -> None:
    with Simulator(key="secret-key") as voiso:
        ask(voiso, type="inbound", **DAY)
        send(voiso, CDR, {"key": "other-key"})
        send(voiso, "/nowhere")
        assert [(r.method, r.path, r.params, r.status) for r in voiso.requests] == [
            ("GET", CDR, {"type": "inbound", **DAY}, 200),
            ("GET", CDR, {}, 401),
            ("GET", "/nowhere", {}, 404),
        ]
        seen = send(voiso, "/_simulator/requests")
        assert (seen.json["count"], seen.json["cdr"], len(seen.json["log"])) == (3, 2, 3)
        assert b"-key" not in seen.body


def test_truth_over_http(simulator: Simulator) -> None:
    def over_http(**params: str) -> Got:
        return send(
            simulator,
            "/_simulator/truth",
            {"start": START.isoformat(), "end": END.isoformat(), **params},
        )

    assert over_http().json == {"count": len(truth(simulator)), "uuids": list(truth(simulator))}
    assert (
        set(over_http(type="inbound").json["uuids"]) == truth(simulator, {"type": "inbound"}).keys()
    )
    assert over_http(start="2024-05-01T00:00:00Z").json == over_http().json
    assert over_http(start="2024-05-01T00:00:00").status == 422
    assert over_http(colour="red").status == 422
    assert over_http(state="someday").status == 422
    assert send(simulator, "/_simulator/truth").status == 422
    assert send(simulator, "/_simulator/health").json == {"status": "ok"}


def test_drift_over_http() -> None:
    with Simulator(records_per_day=100, drift=Drift(appear=0.5)) as voiso:
        assert len(truth(voiso)) < len(voiso.truth(START, END, state="after"))
        assert send(voiso, "/_simulator/drift", method="POST").status == 200
        assert truth(voiso) == voiso.truth(START, END, state="after")


@pytest.mark.parametrize("switched_on", [True, False])
def test_gzip_must_be_accepted(switched_on: bool) -> None:
    with Simulator(records_per_day=100, readings=Readings(gzip=switched_on)) as voiso:
        params = {"key": voiso.key, **DAY}
        plain = send(voiso, CDR, params)
        asked = send(voiso, CDR, params, headers={"Accept-Encoding": "gzip, deflate"})
        assert ("Content-Encoding" in plain.headers, "Content-Encoding" in asked.headers) == (
            False,
            switched_on,
        )
        assert (gzip.decompress(asked.body) if switched_on else asked.body) == plain.body


def test_rate_limit_answers_429() -> None:
    with Simulator(requests_per_second=0.001, records_per_day=1) as voiso:
        first, second = ask(voiso, **DAY), ask(voiso, **DAY)
        assert (first.status, second.status, second.headers["Retry-After"]) == (200, 429, "1")


def test_stop_frees_the_port() -> None:
    voiso = Simulator(records_per_day=1)
    with voiso:
        connection = connect(voiso)
        connection.request("GET", "/_simulator/health")
        connection.getresponse().read()
        port = voiso.port
    assert connection.sock.recv(1) == b""
    connection.close()
    with Simulator(records_per_day=1, port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}"
    with pytest.raises(RuntimeError, match="not running"):
        _ = voiso.url


def self_signed(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(
        now + timedelta(days=1)
    )
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private
    )
    return path


def test_server_speaks_tls(tmp_path: Path) -> None:
    certificate = str(self_signed(tmp_path / "server.pem"))
    with Simulator(certificate=certificate, records_per_day=5) as voiso:
        assert voiso.url == f"https://127.0.0.1:{voiso.port}"
        trusting = ssl.create_default_context(cafile=certificate)
        connection = http.client.HTTPSConnection(
            "localhost", voiso.port, context=trusting, timeout=120
        )
        connection.request("GET", f"{CDR}?{urlencode({'key': voiso.key, **DAY})}")
        assert {r["uuid"] for r in json.loads(connection.getresponse().read())["records"]} == truth(
            voiso
        ).keys()
        connection.close()
        distrusting = http.client.HTTPSConnection("localhost", voiso.port, timeout=120)
        with pytest.raises(ssl.SSLCertVerificationError):
            distrusting.request("GET", "/_simulator/health")
        distrusting.close()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_command_line_serves_the_truth(stop: signal.Signals) -> None:
    options = (
        "--seed=7",
        "--records-per-day=120",
        "--exact",
        "--key=cli-key",
        "--order=uuid",
        "--duplicates=0.1",
    )
    fault = ("--fault", '{"kind": "status", "status": 418}')
    with command_line(*options, *fault) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        query = urlencode({"key": "cli-key", **DAY})
        with pytest.raises(urllib.error.HTTPError, match="418") as refused:
            urllib.request.urlopen(f"{url}{CDR}?{query}")  # noqa: S310
        refused.value.close()
        with urllib.request.urlopen(f"{url}{CDR}?{query}") as answer:  # noqa: S310
            uuids = [record["uuid"] for record in json.load(answer)["records"]]
        process.send_signal(stop)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    expected = truth(Simulator(seed=7, records_per_day=120, exact=True))
    assert sorted(set(uuids)) == sorted(expected)
    assert uuids == sorted(uuids)
    assert len(uuids) > 120


def test_help_explains_every_switch() -> None:
    with command_line("--help") as process:
        assert process.stdout is not None
        text = process.stdout.read()
    missing = [
        name for name in Readings.__dataclass_fields__ if f"--{name.replace('_', '-')}" not in text
    ]
    assert missing == []


def test_standard_library_is_enough() -> None:
    root = Path(airflow_provider_voiso.__file__).parents[1]
    # With -S there are no site-packages to import from.
    program = "import sys, airflow_provider_voiso.simulator.__main__; print(*sys.modules)"
    environment = {"PYTHONPATH": str(root), "PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    ours = {name for name in run.stdout.split() if name.startswith("airflow_provider_voiso.")}
    assert all(name.startswith("airflow_provider_voiso.simulator") for name in ours)


def test_walk_over_a_month() -> None:
    with Simulator(records_per_day=60, readings=Readings(cap=500)) as voiso:
        found = all_uuids(walk(voiso, per_page=500, start_date="2024-02-01", end_date="2024-02-29"))
        expected = voiso.truth(datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
        assert sorted(found) == sorted(expected)


def test_public_names_are_documented() -> None:
    names = {"Drift", "Fault", "Faults", "Readings", "Request", "Simulator"}

    assert set(simulator_package.__all__) == names
    assert all(getattr(simulator_package, name).__doc__ for name in names)
    assert all(name in str(simulator_package.__doc__) for name in ("Drift", "Fault", "Readings"))
