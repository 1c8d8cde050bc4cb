from typing import Literal

import pydantic
import pytest

from router.domain import alerts
from router.rules import destination_info, load


class Internal(pydantic.BaseModel):
    """A fake internal destination."""

    model_config = pydantic.ConfigDict(extra="forbid")

    name: str = pydantic.Field(default="unnamed", min_length=1)
    summary: str = ""
    visibility: Literal["public", "private"] = "public"
    fields: list[dict[str, str]] = []


class Post(pydantic.BaseModel):
    """A fake public status page."""

    model_config = pydantic.ConfigDict(extra="forbid")

    title: str = pydantic.Field(min_length=1)
    components: dict[str, Literal["operational", "outage"]] = {}
    notify: bool = True


DESTINATIONS = {
    "on-call": destination_info.DestinationInfo(Internal, public=False, kind="internal"),
    "second": destination_info.DestinationInfo(Internal, public=False, kind="internal"),
    "page": destination_info.DestinationInfo(Post, public=True, kind="page"),
    "past-page": destination_info.DestinationInfo(Post, public=True, kind="page", retrospective=True),
    "titled-page": destination_info.DestinationInfo(
        Post, public=True, kind="page", defaults={"title": "Something is wrong"}
    ),
}


@pytest.fixture(scope="session")
def destinations():
    return DESTINATIONS


@pytest.fixture(scope="session")
def make_alert():
    """Make an alert from its labels and any other fields."""

    def make(labels=None, **others):
        others = {"source": "am", "fingerprint": "f", "status": "firing", "starts_at": 1, "ends_at": 0, **others}
        return alerts.Alert(labels=labels or {}, **others)

    return make


@pytest.fixture(scope="session")
def build(destinations):
    """Make a rule set from rules as data, and fill in the required fields."""

    def make(*rules):
        filled = [{"name": f"r{number}", "when": {}, "open": [], **rule} for number, rule in enumerate(rules)]
        filled = [{key: value for key, value in rule.items() if value is not ...} for rule in filled]
        return load.build(filled, destinations, "v1")

    return make


@pytest.fixture
def folder(tmp_path):
    """Write files into a rules folder."""

    def write(**files):
        made = tmp_path / "rules"
        made.mkdir(exist_ok=True)
        for name, text in files.items():
            (made / f"{name}.yaml").write_text(text)
        return made

    return write
