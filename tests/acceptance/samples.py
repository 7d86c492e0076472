"""The real configuration files of the samples folder, and the app and namespace that a user would give each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "shared" / "samples"

SHARED_APP = "petclinic"
SHARED_NAMESPACE = "petclinic.yml"
SERVICE_NAMESPACE = "application.yml"
OBSERVER = "skywalking-oap"
BROKER = "kafka-broker"


@dataclass(frozen=True, slots=True)
class Sample:
    """One namespace and the file that its draft is to read."""

    app: str
    namespace: str
    file: Path
    public: bool = False

    @property
    def content(self) -> bytes:
        return self.file.read_bytes()

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def is_document(self) -> bool:
        return "." in self.namespace

    def __str__(self) -> str:
        return f"{self.app}/{self.namespace}"


def petclinic() -> list[Sample]:
    """One app for each service, with its own file as `application.yml`.

    The file that all services share is a public namespace of an app of its own: so each service reads it
    under the same name, nobody copies it, and it has one owner and one history.
    """
    shared = Sample(SHARED_APP, SHARED_NAMESPACE, FOLDER / "petclinic" / "application.yml", public=True)
    files = sorted(file for file in (FOLDER / "petclinic").glob("*.yml") if file != shared.file)
    return [shared, *(Sample(file.stem, SERVICE_NAMESPACE, file) for file in files)]


def skywalking() -> list[Sample]:
    """Each file of the observer under its own name.

    `compose.env` stands twice, because it has two readers: as text, byte for byte, for `docker compose
    --env-file`, and as properties for `helicon run`, which makes variables of keys.
    """
    folder = FOLDER / "skywalking"
    names = ("alarm-settings.yml", "application.yml", "grafana-instance.json", "log4j2.xml")
    return [
        *(Sample(OBSERVER, name, folder / name) for name in names),
        Sample(OBSERVER, "compose.env.txt", folder / "compose.env"),
        Sample(OBSERVER, "compose", folder / "compose.env"),
    ]


def kafka() -> list[Sample]:
    return [Sample(BROKER, "server", FOLDER / "kafka" / "server.properties")]


def systems() -> dict[str, list[Sample]]:
    """All samples by the system that they are released with."""
    return {"petclinic": petclinic(), "skywalking": skywalking(), "kafka": kafka()}
