"""The transport at its edges: TLS, names, discovery, a server that is behind another, faults of our own."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helicon import Connection, Source
from helicon._impl import backoff, connection, progress
from helicon._impl.errors import UnavailableError
from helicon._impl.resolve import Resolver
from helicon._impl.settings import read_settings
from helicon._impl.transport import Transport
from tests.support import scripted_server as scripts
from tests.support.clients import OpenClient
from tests.support.scripted_server import ScriptedServer, scripted_server
from tests.support.waiting import eventually, eventually_is

TLS = Path(scripts.__file__).parent / "tls"


class TlsFront:
    """Ends TLS for a scripted server, with a certificate for `localhost` that nobody signed."""

    def __init__(self, behind: ScriptedServer) -> None:
        self._behind = behind
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            secured = self._context.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        with self._behind._changed:
            self._behind._connections.add(plain)
        self._behind._serve(secured)


@pytest.fixture
def tls(apollo: ScriptedServer) -> Iterator[TlsFront]:
    front = TlsFront(apollo)
    apollo.services = [f"https://localhost:{front.port}/", f"http://127.0.0.1:{apollo.port}/"]
    connection._tls_context.cache_clear()
    yield front
    front.stop()
    connection._tls_context.cache_clear()


def test_tls__trusted_certificate__loads_and_follows_and_never_leaves_tls(
    apollo: ScriptedServer, tls: TlsFront, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "cert.pem"))
    plain = len(apollo._connections)
    client = open_client(f"https://localhost:{tls.port}")
    assert client.namespace().get("http.timeout") == "2500"
    eventually(apollo.polls_held, "the poll")
    for value in ("1", "2", "3"):
        apollo.publish("application", {"http.timeout": value})
        eventually_is(lambda: client.namespace().get("http.timeout"), value, "the value")
    assert client.status().failures == 0
    assert client.status().server == f"https://localhost:{tls.port}"
    assert plain == 0


@pytest.mark.parametrize(("host", "trusted"), [("localhost", False), ("127.0.0.1", True)])
def test_tls__unknown_authority_or_other_host__is_refused_with_the_reason(
    tls: TlsFront, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "cert.pem"))
    client = open_client(f"https://{host}:{tls.port}", start_timeout=0.5)
    status = client.status()
    assert status.source is Source.NONE
    assert (status.last_error or "").startswith("tls_failed: ")
    assert "certificate" in (status.last_error or "")


def test_tls__spoken_to_a_plain_port__is_an_error_with_a_code(apollo: ScriptedServer, open_client: OpenClient) -> None:
    connection._tls_context.cache_clear()
    client = open_client(f"https://127.0.0.1:{apollo.port}", start_timeout=0.5)
    assert (client.status().last_error or "").split(":")[0] in ("tls_failed", "timeout")


def test_names__unknown__is_an_error_with_a_code(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, *_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    client = open_client("http://config.invalid:8080", start_timeout=0.3)
    assert (client.status().last_error or "").startswith("dns_failed: the name config.invalid was not found")


def test_names__resolver_hangs__ends_by_the_deadline_and_later_keeps_what_it_knew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth = socket.getaddrinfo
    hanging, release = threading.Event(), threading.Event()

    def look_up(host: str, *rest: object, **options: object) -> object:
        if options.get("flags") == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        if hanging.is_set():
            release.wait(30)
        return truth("127.0.0.1", *rest, **options)  # type: ignore[arg-type]  # passed through as given

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = Resolver()
    known = resolver.resolve("config", 80, time.monotonic() + 10)
    hanging.set()
    try:
        for _ in range(3):
            assert resolver.resolve("config", 80, time.monotonic() + 0.05) == known
        with pytest.raises(UnavailableError) as caught:
            resolver.resolve("other", 80, time.monotonic() + 0.05)
        assert caught.value.code == "dns_failed"
        stuck = [thread for thread in threading.enumerate() if thread.name == "helicon-resolve"]
        assert len(stuck) == 2, "one look-up a name, however often it is asked for"
    finally:
        release.set()
        for thread in stuck:
            thread.join(10)


@pytest.mark.parametrize(
    "reply",
    [
        scripts.html(),
        scripts.json_answer(404, {"status": 404}),
        scripts.json_answer(200, {}),
        scripts.json_answer(200, []),
        scripts.json_answer(200, [{"homepageUrl": 7}]),
        scripts.reset,
        scripts.truncated,
        scripts.silence,
    ],
    ids=["html", "not_found", "object", "empty", "number", "reset", "truncated", "black_hole"],
)
def test_discovery__anything_but_a_list__leaves_the_meta_address(
    apollo: ScriptedServer, open_client: OpenClient, reply: scripts.Reply
) -> None:
    apollo.script("services", reply, repeat=True)
    client = open_client(apollo.url)
    assert client.namespace().get("http.timeout") == "2500"
    apollo.publish("application", {"http.timeout": "1"})
    eventually(lambda: client.namespace().get("http.timeout") == "1", "the new value")


def test_fetch__server_that_drops_an_idle_connection__is_asked_again_at_once(apollo: ScriptedServer) -> None:
    transport = Transport(read_settings(meta=apollo.url, app_id="shop", environ={}))
    for _ in range(5):
        fetched = transport.fetch("application", deadline=time.monotonic() + 10)
        assert fetched.config is not None
        apollo.cut()
    transport.close()


def test_fetch__overloaded_server__hands_its_wish_on(apollo: ScriptedServer) -> None:
    transport = Transport(read_settings(meta=apollo.url, app_id="shop", environ={}))
    for wish, seconds in (("7", 7.0), ("99999", backoff.RETRY_AFTER_CAP_SECONDS), ("soon", None)):
        apollo.script("configs", scripts.answer(503, b"", f"Retry-After: {wish}"))
        with pytest.raises(UnavailableError) as caught:
            transport.fetch("application", deadline=time.monotonic() + 10)
        assert (caught.value.code, caught.value.retry_after) == ("overloaded", seconds)
    transport.close()


def test_follow__notice_from_one_server_and_reads_from_one_behind__keeps_asking(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server that announced the release fails; the other still has the one before."""
    monkeypatch.setattr(backoff, "CAP_SECONDS", 0.05)
    monkeypatch.setattr(progress, "RECHECK_SECONDS", (0.02, 0.02))
    with scripted_server() as ahead, scripted_server() as behind:
        old = ahead.publish("application", {"a": "old"})
        behind._releases["application"] = old
        ahead.services = behind.services = [ahead.url + "/"]
        client = open_client(ahead.url)
        eventually(ahead.polls_held, "the poll")
        client._follower._transport.servers.discovered(
            [*client._settings.meta, *read_settings(meta=behind.url, app_id="x", environ={}).meta]
        )
        ahead.script("configs", scripts.json_answer(500, {}), repeat=True)
        new = ahead.publish("application", {"a": "new"})
        eventually(lambda: behind.count("configs") >= 3, "several reads from the one behind")
        assert client.namespace().get("a") == "old"
        assert client.status().namespaces["application"].notification_id < new.notification_id
        with behind._changed:
            behind._releases["application"] = new
        eventually(lambda: client.namespace().get("a") == "new", "the announced release")


def test_follow__fault_of_our_own__does_not_end_following(
    apollo: ScriptedServer,
    open_client: OpenClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    with monkeypatch.context() as patched:

        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError("s3cret")

        patched.setattr("helicon._impl.transport.parse_config", broken)
        apollo.publish("application", {"http.timeout": "1"})
        eventually(lambda: (client.status().last_error or "").startswith("internal: "), "the note")
    eventually(lambda: client.namespace().get("http.timeout") == "1", "the new value")
    eventually(lambda: client.status().connection is Connection.CONNECTED, "the state")
    assert "s3cret" not in caplog.text
