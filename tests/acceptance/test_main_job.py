"""The main job on real configuration: edit, publish, receive, outlive the servers, start a program with it.

Each test runs on the embedded database and on PostgreSQL with two server processes, where everything is published on
one and read from the other.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import javaproperties
import pytest

from tests.acceptance import samples
from tests.acceptance.installation import Installation
from tests.acceptance.program import environment_of_program
from tests.acceptance.samples import BROKER, OBSERVER, SHARED_APP, SHARED_NAMESPACE, Sample
from tests.acceptance.sdk_process import RECOVERY_DEADLINE_S, SdkProcess
from tests.support.management import Management, Published, Target
from tests.support.wait import wait_until

pytestmark = pytest.mark.skipif(not samples.FOLDER.is_dir(), reason=f"no sample files in {samples.FOLDER.name}/")

EVERY_SAMPLE = [pytest.param(sample, id=str(sample)) for system in samples.systems().values() for sample in system]
CONTENT_TYPES = {".yml": "application/yaml", ".json": "application/json", ".xml": "application/xml"}
DELIVERY_DEADLINE_S = 30
_broker_number = itertools.count(1)


@pytest.fixture(scope="module")
def management(installation: Installation) -> Iterator[Management]:
    with installation.management() as client:
        yield client


@pytest.fixture(scope="module")
def releases(installation: Installation, management: Management) -> dict[str, list[Published]]:
    """Every sample edited through the API and published: one request for each system."""
    made = {}
    for system, files in samples.systems().items():
        targets = []
        for app in dict.fromkeys(sample.app for sample in files):
            management.create_app(app)
        for sample in files:
            management.create_namespace(sample.app, sample.namespace, public=sample.public)
            seen = management.read_text(sample.app, sample.namespace).revision
            revision = management.write_text(sample.app, sample.namespace, sample.text, revision=seen)
            targets.append(Target(sample.app, sample.namespace, revision))
        made[system] = management.publish(*targets)
        for target, release in zip(targets, made[system], strict=True):
            _await_release(installation, target.app, release)
    return made


@pytest.fixture
def broker(installation: Installation, management: Management, releases: dict[str, list[Published]]) -> str:
    """An app of the test's own with the broker's file, because the test will change it."""
    app = f"{BROKER}-{next(_broker_number)}"
    (sample,) = samples.kafka()
    management.create_app(app)
    management.create_namespace(app, sample.namespace)
    _await_release(installation, app, management.release(app, sample.namespace, sample.text))
    return app


def test_samples__every_file_of_the_folder__is_a_namespace_here() -> None:
    used = {sample.file for system in samples.systems().values() for sample in system}
    there = {file for file in samples.FOLDER.rglob("*") if file.is_file() and file.name != "README.md"}
    assert used == there
    assert max(len(file.read_bytes()) for file in used) > 200_000


def test_publish__several_namespaces_in_one_request__makes_a_release_of_each_in_order(
    releases: dict[str, list[Published]],
) -> None:
    for system, files in samples.systems().items():
        assert [release.namespace for release in releases[system]] == [sample.namespace for sample in files]
    every = [release for made in releases.values() for release in made]
    assert len({release.release_key for release in every}) == len(every)
    ids = [release.notification_id for release in every]
    assert ids == sorted(set(ids))


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("sample", EVERY_SAMPLE)
def test_draft__of_a_real_file__reads_byte_for_byte_as_the_file(management: Management, sample: Sample) -> None:
    """Comments, blank lines, byte order marks and missing last newlines included."""
    assert management.read_text(sample.app, sample.namespace).text.encode() == sample.content


def test_draft__with_chinese_comments__keeps_them_after_an_item_was_changed(
    management: Management, broker: str
) -> None:
    seen = management.read_text(broker, "server")
    management.put_item(broker, "server", "num.io.threads", "16", revision=seen.revision)
    (sample,) = samples.kafka()
    assert "# 处理磁盘IO的线程数\nnum.io.threads=8\n" in sample.text
    expected = sample.text.replace("num.io.threads=8\n", "num.io.threads=16\n")
    assert management.read_text(broker, "server").text == expected


@pytest.mark.parametrize("sample", EVERY_SAMPLE)
def test_configs__of_a_real_file__gives_all_of_it_and_its_release_key(
    installation: Installation, releases: dict[str, list[Published]], sample: Sample
) -> None:
    """Apollo client protocol, section 4.5."""
    answer = _get(installation, "configs", sample)
    assert answer.json() == {
        "appId": sample.app,
        "cluster": "default",
        "namespaceName": sample.namespace,
        "configurations": _expected(sample),
        "releaseKey": _release_of(releases, sample).release_key,
    }


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("sample", EVERY_SAMPLE)
def test_configfiles__as_properties__read_the_same_by_another_parser(
    installation: Installation, sample: Sample
) -> None:
    """Apollo client protocol, section 6.1."""
    answer = _get(installation, "configfiles", sample)
    assert answer.headers["content-type"] == "text/plain;charset=UTF-8"
    assert javaproperties.loads(answer.content.decode()) == _expected(sample)


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("sample", EVERY_SAMPLE)
def test_configfiles__as_json__hold_every_key(installation: Installation, sample: Sample) -> None:
    """Apollo client protocol, section 6."""
    answer = _get(installation, "configfiles/json", sample)
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.json() == _expected(sample)


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("sample", EVERY_SAMPLE)
def test_configfiles__raw__give_a_document_byte_for_byte(installation: Installation, sample: Sample) -> None:
    """Apollo client protocol, section 6: a properties namespace gives its properties text instead."""
    answer = _get(installation, "configfiles/raw", sample)
    suffix = Path(sample.namespace).suffix
    assert answer.headers["content-type"] == f"{CONTENT_TYPES.get(suffix, 'text/plain')};charset=UTF-8"
    if sample.is_document:
        assert answer.content == sample.content
    else:
        assert answer.content == _get(installation, "configfiles", sample).content


@pytest.mark.usefixtures("releases")
def test_shared_file__asked_for_by_each_service__is_the_same_public_one(installation: Installation) -> None:
    """Apollo client protocol, section 4.2, order 2."""
    shared, *services = samples.petclinic()
    assert len(services) == 8
    for service in services:
        through = Sample(service.app, SHARED_NAMESPACE, shared.file)
        assert _get(installation, "configfiles/raw", through).content == shared.content


@pytest.mark.usefixtures("releases")
def test_service__with_documents__has_them_byte_for_byte(installation: Installation, tmp_path: Path) -> None:
    documents = [sample for sample in samples.skywalking() if sample.is_document]
    names = [sample.namespace for sample in documents]
    with SdkProcess(installation.meta, OBSERVER, names, tmp_path / "cache") as service:
        assert service.status()["source"] == "server"
        for sample in documents:
            content = service.content(sample.namespace)
            assert content is not None
            assert content.encode() == sample.content


def test_service__a_value_is_published__its_listener_gets_old_and_new(
    installation: Installation, management: Management, broker: str, tmp_path: Path
) -> None:
    with SdkProcess(installation.meta, broker, ["server"], tmp_path / "cache") as service:
        before = service.status()["namespaces"]["server"]["release_key"]
        published = _change(management, broker, "num.io.threads", "16")
        change = service.await_change("server", "num.io.threads", "16")
        assert change["old"] == "8"
        assert (change["old_release_key"], change["new_release_key"]) == (before, published.release_key)
        assert service.values("server") == _expected(samples.kafka()[0]) | {"num.io.threads": "16"}
        assert len(service.changes) == 1


def test_service__the_shared_public_file_is_published__services_of_other_apps_hear_of_it(
    installation: Installation, management: Management, releases: dict[str, list[Published]], tmp_path: Path
) -> None:
    """Apollo client protocol, section 7.3: the keys of the public owner are watched too."""
    shared = samples.petclinic()[0]
    with SdkProcess(installation.meta, "vets-service", [SHARED_NAMESPACE], tmp_path / "cache") as service:
        changed = shared.text.replace("shutdown: graceful", "shutdown: immediate")
        management.release(SHARED_APP, SHARED_NAMESPACE, changed)
        change = service.await_change(SHARED_NAMESPACE, "content", changed)
        assert change["old"] == shared.text
        # Back to the file, for the other tests of this installation.
        releases["petclinic"][0] = management.release(SHARED_APP, SHARED_NAMESPACE, shared.text)
        service.await_change(SHARED_NAMESPACE, "content", shared.text)


def test_service__every_node_is_killed__reads_on_and_starts_again_from_its_backup(
    installation: Installation, management: Management, broker: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with SdkProcess(installation.meta, broker, ["server"], cache) as service:
        _change(management, broker, "num.io.threads", "16")
        service.await_change("server", "num.io.threads", "16")
        expected = _expected(samples.kafka()[0]) | {"num.io.threads": "16"}
        with installation.killed():
            wait_until(
                lambda: service.status()["connection"] == "interrupted", DELIVERY_DEADLINE_S, "noticed loss of servers"
            )
            status = service.status()["namespaces"]["server"]
            assert status["source"] == "server"
            assert service.values("server") == expected

            with SdkProcess(installation.meta, broker, ["server"], cache) as restarted:
                assert restarted.status()["source"] == "backup"
                assert restarted.status()["namespaces"]["server"]["release_key"] == status["release_key"]
                assert restarted.values("server") == expected

        wait_until(
            lambda: service.status()["connection"] == "connected", RECOVERY_DEADLINE_S, "service connected again"
        )
        _change(management, broker, "num.io.threads", "32")
        assert service.await_change("server", "num.io.threads", "32")["old"] == "16"


def test_helicon_run__with_the_server_and_without__starts_the_program_with_the_same_variables(
    installation: Installation, broker: str, tmp_path: Path
) -> None:
    command = ["--meta", installation.meta, "--app-id", broker, "--namespace", "server", "--backup", str(tmp_path)]
    variables = {re.sub(r"[^A-Z0-9_]", "_", key.upper()): value for key, value in _expected(samples.kafka()[0]).items()}
    assert variables["ZOOKEEPER_CONNECT"] == "localhost:2182,localhost:2183,localhost:2184"

    with_server = environment_of_program(command)
    assert with_server.pop("HELICON_RUN_SOURCE") == "server"
    with installation.killed():
        without_server = environment_of_program(command)
    assert without_server.pop("HELICON_RUN_SOURCE") == "backup"

    assert without_server == with_server
    about_the_run = {name for name in with_server if name.startswith("HELICON_RUN_")}
    assert {name: value for name, value in with_server.items() if name not in about_the_run} == variables


@pytest.mark.usefixtures("releases")
def test_helicon_run__on_an_env_file__starts_the_program_with_its_variables(
    installation: Installation, tmp_path: Path
) -> None:
    """The keys of compose.env are variable names already, so they stay as they are."""
    compose = next(sample for sample in samples.skywalking() if sample.namespace == "compose")
    command = ["--meta", installation.meta, "--app-id", OBSERVER, "--namespace", "compose", "--backup", str(tmp_path)]
    environment = environment_of_program(command)
    assert {k: v for k, v in environment.items() if not k.startswith("HELICON_RUN_")} == _expected(compose)


def _expected(sample: Sample) -> dict[str, str]:
    """What a client is to have of a file, by a properties parser that is not ours."""
    return {"content": sample.text} if sample.is_document else dict(javaproperties.loads(sample.text))


def _release_of(releases: dict[str, list[Published]], sample: Sample) -> Published:
    for system, files in samples.systems().items():
        for one, release in zip(files, releases[system], strict=True):
            if one == sample:
                return release
    raise AssertionError(f"{sample} was not published")


def _change(management: Management, app: str, key: str, value: str) -> Published:
    revision = management.read_text(app, "server").revision
    revision = management.put_item(app, "server", key, value, revision=revision)
    (published,) = management.publish(Target(app, "server", revision))
    return published


def _get(installation: Installation, form: str, sample: Sample) -> httpx.Response:
    url = f"{installation.meta}/{form}/{sample.app}/default/{quote(sample.namespace)}"
    answer = httpx.get(url, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def _await_release(installation: Installation, app: str, release: Published) -> None:
    """Waits until the node that clients know has heard of a release made on the other."""
    url = f"{installation.meta}/configs/{app}/default/{release.namespace}"

    def served() -> bool:
        answer = httpx.get(url, trust_env=False, timeout=30)
        return answer.status_code == 200 and answer.json()["releaseKey"] == release.release_key

    wait_until(served, DELIVERY_DEADLINE_S, f"release {release.release_key} on the other node")
