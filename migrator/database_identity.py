"""The identity of a database, by which a replaced database is recognised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class DatabaseIdentity:
    """The property that identifies a database. Unknown texts are empty."""

    name: str = ""
    endpoint: str = ""
    resource_id: str = ""

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> Self:
        """Read the property `Database`."""
        return cls(texts.get("Name", ""), texts.get("Endpoint", ""), texts.get("ResourceId", ""))

    def is_same(self, other: Self) -> bool:
        """Return whether both are the same database, as far as is known. An endpoint may be renamed, an id never is."""
        if not (self.name and other.name):
            return True  # from a release that did not name the database
        if self.resource_id and other.resource_id:
            return (self.resource_id, self.name) == (other.resource_id, other.name)
        return (self.endpoint, self.name) == (other.endpoint, other.name)
