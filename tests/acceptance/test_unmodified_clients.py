"""Client libraries that others wrote, as they are published, against real servers.

Versions, settings and limits of each: docs/clients.md. What each sends is recorded on the way, and checked: every
answer for what no client may be given, and the client's requests for the quirks that it is known for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients.access import Key, check_refused, check_signed, enforce_key, refused
from tests.acceptance.clients.catalogue import CLIENTS, Client, Documents
from tests.acceptance.clients.conformance import check_exchanges, check_ids_grow
from tests.acceptance.clients.driver_process import DriverProcess
from tests.acceptance.clients.gray import release_gray
from tests.acceptance.clients.installing import Program, UnavailableError
from tests.acceptance.clients.recorder import Recorder
from tests.support.management import Management, Published, Target
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until

APP = "order-service"
DOCUMENT = "routes.json"
# What an encoder may get wrong: other scripts, HTML, the separators of properties and of queries, a line break.
GREETING = '你好, <b>Zoë</b> & =: #1 100% "ok" 🎉\nbye'

READ_DEADLINE_S = 60
PUSH_DEADLINE_S = 60
# Clients wait between their attempts while there is no server; each is due again within this.
RECOVERY_DEADLINE_S = 90

# The first run on a machine downloads the client; Go builds its packages.
pytestmark = pytest.mark.timeout(900)


def _each(clients: list[Client]) -> list[Any]:
    return [
        pytest.param(client, id=client.name, marks=[getattr(pytest.mark, client.toolchain)] if client.toolchain else [])
        for client in clients
    ]


LABEL = "canary"
SIGNING = [client for client in CLIENTS if client.signs]
every_client = pytest.mark.parametrize("client", _each(CLIENTS))
every_signing_client = pytest.mark.parametrize("client", _each(SIGNING))
every_client_with_labels = pytest.mark.parametrize("client", _each([c for c in CLIENTS if c.labels]))
every_client_that_signs_prefixes = pytest.mark.parametrize(
    "client", _each([one for one in SIGNING if one.signs_prefix])
)


@pytest.fixture
def program(client: Client) -> Program:
    """The installed client and its driver; skipped, with the reason, where it cannot be had."""
    try:
        return client.program()
    except UnavailableError as error:
        pytest.skip(f"{client.name}: {error}")


@pytest.fixture(scope="module")
def lasting_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for the tests that leave it alone."""
    with closing(Servers(tmp_path_factory.mktemp("lasting"))) as servers:
        yield servers.start()


@every_client
def test_client__reads_and_is_pushed_two_namespaces_at_once__and_goes_on_after_the_server_was_killed(
    client: Client, program: Program, servers: Servers, tmp_path: Path
) -> None:
    """Killed while it holds the client's poll, and started again on the same data."""
    node = servers.start()
    with Management(node.url) as management, Recorder(node.port) as recorder:
        _create(management, APP)

        _live_through_a_kill(client, program, node, management, recorder, tmp_path / "client", secret="")

        unseen = [name for name, quirk in client.quirks.items() if not any(map(quirk, recorder.exchanges))]
        assert unseen == []


@every_signing_client
def test_client__with_the_secret_of_an_enforced_key__does_the_same(
    client: Client, program: Program, servers: Servers, tmp_path: Path
) -> None:
    """Whoever does not sign is refused, before the kill and from the first moment after it."""
    node = servers.start()
    with Management(node.url) as management, Recorder(node.port) as recorder:
        _create(management, APP)
        key = enforce_key(node, APP)

        _live_through_a_kill(client, program, node, management, recorder, tmp_path / "client", secret=key.secret)

        check_signed(recorder.exchanges, APP)
        assert refused(node, APP)


@every_signing_client
def test_client__with_a_wrong_secret__never_gets_a_value(
    client: Client, program: Program, lasting_node: ServerProcess, tmp_path: Path
) -> None:
    app = f"{client.name}-refused"
    with Management(lasting_node.url) as management, Recorder(lasting_node.port) as recorder:
        _create(management, app)
        _publish(management, app, "250ms", "/v1")
        key: Key = enforce_key(lasting_node, app)
        wrong = key.secret[::-1]
        with DriverProcess(
            program, recorder.url, app, tmp_path / "client", ["application"], secret=wrong, may_fail=True
        ) as driver:
            wait_until(lambda: any(one.status == 401 for one in recorder.exchanges), READ_DEADLINE_S, "refusal")
            # Long enough for another attempt of most; what comes later is refused by the same rule.
            wait_until(
                lambda: not driver.running or sum(one.status == 401 for one in recorder.exchanges) > 1,
                READ_DEADLINE_S,
                "another refusal, or a client that gave up",
            )
            assert driver.seen("value", "application", "timeout") in ([], [None])
            assert driver.seen("changed", "application", "timeout") == []
        check_refused(recorder.exchanges, app)


@every_client_with_labels
def test_client__that_a_gray_release_selects_by_label__is_pushed_it_and_pushed_back(
    client: Client, program: Program, lasting_node: ServerProcess, tmp_path: Path
) -> None:
    app = f"{client.name}-gray"
    with Management(lasting_node.url) as management, Recorder(lasting_node.port) as recorder:
        _create(management, app)
        known = _publish(management, app, "250ms", "/v1")
        with DriverProcess(
            program, recorder.url, app, tmp_path / "client", ["application", DOCUMENT], label=LABEL
        ) as driver:
            driver.await_value("value", "application", "timeout", _is("250ms"), READ_DEADLINE_S)
            _await_held_poll(client, recorder, known)

            branch = release_gray(lasting_node, app, LABEL, {"timeout": "1ms"})
            driver.await_value("changed", "application", "timeout", _is("1ms"), PUSH_DEADLINE_S)
            _await_held_poll(client, recorder, known | {"application": branch.notification_id})

            branch.abandon()
            driver.await_value("changed", "application", "timeout", _is("250ms"), PUSH_DEADLINE_S)
        assert driver.seen("changed", "application", "greeting") == []
        assert any(one.parameters.get("label") == LABEL for one in recorder.exchanges)


@every_client_that_signs_prefixes
def test_client__with_a_secret__in_another_environment__signs_its_prefix_too(
    client: Client, program: Program, lasting_node: ServerProcess, tmp_path: Path
) -> None:
    """Keys are an environment's own: the app has none in the default one."""
    app = f"{client.name}-signed-in-pro"
    with Management(lasting_node.url) as development, Management(lasting_node.url, environment="PRO") as production:
        _create(development, app)
        production.create_namespace(app, "application")
        production.create_namespace(app, DOCUMENT)
        _publish(production, app, "9s", "/pro")
        key = enforce_key(lasting_node, app, environment="PRO")
        with (
            Recorder(lasting_node.port) as recorder,
            DriverProcess(
                program,
                f"{recorder.url}/envs/PRO",
                app,
                tmp_path / "client",
                ["application", DOCUMENT],
                secret=key.secret,
            ) as driver,
        ):
            driver.await_value("value", "application", "timeout", _is("9s"), READ_DEADLINE_S)
            driver.await_value("value", DOCUMENT, "content", _is_document("/pro"), READ_DEADLINE_S)
        check_exchanges(recorder.exchanges)
        check_signed(recorder.exchanges, app)


@every_client
def test_client__told_the_address_of_an_environment__sees_that_environment_alone(
    client: Client, program: Program, lasting_node: ServerProcess, tmp_path: Path
) -> None:
    """The meta server address ends in /envs/PRO; clients that ask for servers are sent to the same prefix."""
    app = f"{client.name}-in-pro"
    node = lasting_node
    with (
        Management(node.url) as development,
        Management(node.url, environment="PRO") as production,
        Recorder(node.port) as recorder,
    ):
        _create(development, app)
        production.create_namespace(app, "application")
        production.create_namespace(app, DOCUMENT)
        _publish(development, app, "250ms", "/dev")
        first = _publish(production, app, "9s", "/pro")
        meta = f"{recorder.url}/envs/PRO"
        with DriverProcess(program, meta, app, tmp_path / "client", ["application", DOCUMENT]) as driver:
            driver.await_value("value", "application", "timeout", _is("9s"), READ_DEADLINE_S)
            driver.await_value("value", DOCUMENT, "content", _is_document("/pro"), READ_DEADLINE_S)
            _await_held_poll(client, recorder, first)

            _publish(development, app, "251ms", "/dev2")
            _publish(production, app, "10s", "/pro2")
            _await_changes(client, driver, "10s", "/pro2", PUSH_DEADLINE_S)

            values = [driver.seen(event, "application", "timeout") for event in ("value", "changed")]
        assert {value for seen in values for value in seen} == {"9s", "10s"}
        assert [one.target for one in recorder.exchanges if not one.path.startswith("/envs/PRO/")] == []
        check_exchanges(recorder.exchanges)


def _live_through_a_kill(
    client: Client,
    program: Program,
    node: ServerProcess,
    management: Management,
    recorder: Recorder,
    folder: Path,
    *,
    secret: str,
) -> None:
    """Reads, is pushed, is held while the server is killed, and is pushed again by the one that took its place."""
    first = _publish(management, APP, "250ms", "/v1")
    with DriverProcess(program, recorder.url, APP, folder, ["application", DOCUMENT], secret=secret) as driver:
        driver.await_value("value", "application", "timeout", _is("250ms"), READ_DEADLINE_S)
        driver.await_value("value", "application", "greeting", _is(GREETING), READ_DEADLINE_S)
        driver.await_value("value", DOCUMENT, "content", _is_document("/v1"), READ_DEADLINE_S)
        _await_held_poll(client, recorder, first)

        second = _publish(management, APP, "500ms", "/v2")
        _await_changes(client, driver, "500ms", "/v2", PUSH_DEADLINE_S)
        _await_held_poll(client, recorder, second)

        held = recorder.waiting_polls()
        node.kill()
        wait_until(lambda: all(poll.cut for poll in held), PUSH_DEADLINE_S, "end of the held poll")
        recorder.refuse()
        node.start()
        assert refused(node, APP) == bool(secret)
        recorder.listen()
        _publish(management, APP, "750ms", "/v3")
        _await_changes(client, driver, "750ms", "/v3", RECOVERY_DEADLINE_S)

    check_exchanges(recorder.exchanges)
    check_ids_grow(recorder.exchanges)


def _create(management: Management, app: str) -> None:
    management.create_app(app)
    management.create_namespace(app, "application")
    management.create_namespace(app, DOCUMENT)


def _publish(management: Management, app: str, timeout: str, root: str) -> dict[str, int]:
    """Publishes both namespaces in one request, so that both notifications are due at once; returns their ids."""
    greeting = GREETING.replace("\n", "\\n")
    texts = {"application": f"timeout={timeout}\ngreeting={greeting}\n", DOCUMENT: json.dumps({"root": root})}
    targets = []
    for namespace, text in texts.items():
        seen = management.read_text(app, namespace).revision
        targets.append(Target(app, namespace, management.write_text(app, namespace, text, revision=seen)))
    published: list[Published] = management.publish(*targets)
    return {one.namespace: one.notification_id for one in published}


def _await_held_poll(client: Client, recorder: Recorder, newest: dict[str, int]) -> None:
    """Waits until the client is held with the newest ids: some take the first answer to a poll for no news."""
    followed = newest if client.documents is Documents.PUSHED else {"application": newest["application"]}

    def held() -> bool:
        return any(poll.notifications == followed for poll in recorder.waiting_polls())

    wait_until(held, READ_DEADLINE_S, f"held poll that names {followed}")


def _await_changes(client: Client, driver: DriverProcess, timeout: str, root: str, deadline_s: float) -> None:
    driver.await_value("changed", "application", "timeout", _is(timeout), deadline_s)
    if client.documents is Documents.PUSHED:
        driver.await_value("changed", DOCUMENT, "content", _is_document(root), deadline_s)


def _is(wanted: object) -> Callable[[Any], bool]:
    return lambda value: bool(value == wanted)


def _is_document(root: str) -> Callable[[Any], bool]:
    """Some clients hand out the text of a document, others what it holds."""
    return lambda value: bool((json.loads(value) if isinstance(value, str) else value) == {"root": root})
