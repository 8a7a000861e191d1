"""The key reaches the host of its connection and nobody else, whatever answers suggest."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from urllib3.exceptions import InsecureRequestWarning

from airflow_provider_voiso.exceptions import (
    VoisoBadRequestError,
    VoisoTlsError,
    VoisoTransportError,
)
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.simulator import Simulator
from tests.secret_search import Secret
from tests.self_signed import self_signed
from tests.servers.raw_http import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

    Ask = Callable[..., list[dict[str, Any]]]

SECRET = Secret("k+/=&%<ü>-secret-a387")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that asks a host for its agents, as a connection to it does."""

    def ask(host: str, **extra: Any) -> list[dict[str, Any]]:
        described = {"conn_type": "voiso", "host": host, "password": SECRET.text}
        extra = {"max_retries": 0, "timeout": 120, **extra}
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps({**described, "extra": extra}))
        hook = VoisoHook()
        try:
            return hook.list_reference("agents")
        finally:
            hook.client.close()

    return ask


class Tunnel:
    """A proxy that connects as it is told, and keeps all that it is sent."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.received = bytearray()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.received += head
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as behind:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                threading.Thread(target=self._copy, args=(behind, client), daemon=True).start()
                while data := client.recv(65_536):
                    self.received += data
                    behind.sendall(data)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)


def assert_unsaid(received: bytes) -> None:
    SECRET.assert_absent(received.decode("latin-1"), received.decode("utf-8", "replace"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["elsewhere", "the same host", "the same path"])
def test_no_redirect_is_followed(status: int, place: str, ask: Ask) -> None:
    with Simulator(key=SECRET.text) as sim, RawServer(lambda _: [http(b"[]")]) as other:
        location = {
            "elsewhere": other.url + "/",
            "the same host": sim.url + "/x",
            "the same path": "/api/v2/cdr/agents",
        }
        sim.faults.add("redirect", status=status, location=location[place], path="agents")
        with pytest.raises(VoisoBadRequestError, match="the key is never sent on") as caught:
            ask(sim.url)
        SECRET.assert_absent_from(caught.value)
        assert len(sim.requests) == 1
        assert other.connections == 0
        assert ask(sim.url)


@pytest.mark.parametrize("variable", PROXIES)
def test_plain_request_bypasses_proxy(
    variable: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(key=SECRET.text) as sim, RawServer(lambda _: [http(b"[]")]) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert ask(sim.url)
        assert proxy.connections == 0


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxy_sees_only_the_host(
    variable: str, ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(key=SECRET.text, certificate=str(certificate)) as sim, Tunnel() as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert ask(sim.url, verify=str(certificate))
        assert proxy.received.startswith(f"CONNECT 127.0.0.1:{sim.port} HTTP/1.".encode())
        assert_unsaid(bytes(proxy.received))
        with pytest.raises(VoisoTlsError):
            ask(sim.url)
        assert len(sim.requests) == 1


def test_impersonating_proxy_gets_no_key(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(lambda _: [http(b"[]", status="407 Proxy Authentication Required")]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(VoisoTransportError, match="proxy that the environment names") as caught:
            ask("https://voiso.example")
        SECRET.assert_absent_from(caught.value)
        assert proxy.requests
        assert_unsaid(b"".join(proxy.requests))


def test_no_proxy_hosts_are_direct(
    ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(key=SECRET.text, certificate=str(certificate)) as sim, Tunnel() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(sim.url, verify=str(certificate))
        assert proxy.received == b""


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://", "gopher://127.0.0.1:70"])
def test_unusable_proxy_is_named(proxy: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(VoisoBadRequestError, match="HTTPS_PROXY") as caught:
        ask("https://127.0.0.1:9")
    SECRET.assert_absent_from(caught.value)


def test_netrc_passwords_are_never_sent(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password of-another-service\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(lambda _: [http(b"[]")]) as server:
        ask(server.url)
        assert b"authorization" not in server.requests[0].lower()


def test_certificates_are_checked_first(ask: Ask, certificate: Path) -> None:
    with Simulator(key=SECRET.text, certificate=str(certificate)) as sim:
        for host, extra in (
            (sim.url, {}),
            (f"https://localhost:{sim.port}", {"verify": str(certificate)}),
        ):
            with pytest.raises(VoisoTlsError, match="'verify'") as caught:
                ask(host, **extra)
            SECRET.assert_absent_from(caught.value)
        assert sim.requests == ()
        assert ask(sim.url, verify=str(certificate))
        with pytest.warns(InsecureRequestWarning):
            assert ask(sim.url, verify=False)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_environment_may_name_authorities(
    variable: str, ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(key=SECRET.text, certificate=str(certificate)) as sim:
        monkeypatch.setenv(variable, str(certificate))
        assert ask(sim.url)
        monkeypatch.setenv(variable, "/no/such/bundle.pem")
        with pytest.raises(VoisoTlsError, match=variable):
            ask(sim.url)
        assert ask(sim.url, verify=str(certificate))


def test_tls_is_never_given_up(ask: Ask) -> None:
    """A host that speaks no TLS gets the first words of a handshake, not the request in plain."""
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            client, _ = listener.accept()
            with client:
                received.extend(client.recv(65_536))
                client.sendall(http(b"[]"))

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(VoisoTlsError) as caught:
            ask(f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert received.startswith(b"\x16\x03")
    assert_unsaid(bytes(received))
    SECRET.assert_absent_from(caught.value)
