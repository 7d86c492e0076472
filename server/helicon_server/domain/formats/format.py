"""The formats that a namespace can have."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """How the content of a namespace is written. The value is also the suffix of the namespace's name."""

    PROPERTIES = "properties"  # a list of items; all other formats hold one document
    JSON = "json"
    YAML = "yaml"
    YML = "yml"
    XML = "xml"
    TXT = "txt"

    @property
    def suffix(self) -> str:
        """What the name of such a namespace ends in: `.json` and so on, nothing for properties.

        Apollo client protocol, sections 2 and 3: `.properties` is stripped, other suffixes stay.
        """
        return "" if self is Format.PROPERTIES else f".{self.value}"

    @classmethod
    def of_namespace(cls, name: str) -> Format:
        """Return the format that the name's suffix says, ignoring case; without a known one, properties."""
        ending = name.rpartition(".")[2].lower() if "." in name else ""
        return cls(ending) if ending in cls._value2member_map_ else cls.PROPERTIES
