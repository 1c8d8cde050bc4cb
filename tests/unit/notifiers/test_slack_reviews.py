"""Reviews in Slack fit Slack's limits, and offer approval only if the message shows the full post."""

import random

import pytest
from slack_sdk.models import blocks as sdk
from slack_sdk.models import views

from router.domain import events, times
from router.notifiers import slack_blocks, slack_reviews
from router.services import models
from router.slack import forms, replies

NOW = times.to_datetime(1_800_000_000_000_000)
LENGTHS = (0, 1, 149, 150, 151, 1999, 2000, 2001, 2999, 3000, 3001, 6001, 29_999, 30_000, 30_001, 90_000)
WORKS = ("opening", "update", "monitoring", "resolution", "retraction", "retrospective")
LETTERS = "ab <>&*_\n\u00e9\u4e2d\U0001f600"


def text(randomness: random.Random, lengths=LENGTHS) -> str:
    return "".join(randomness.choices(LETTERS, k=randomness.choice(lengths)))


def make_review(randomness: random.Random) -> events.Review:
    components = {f"{text(randomness, (1, 20, 1000))}{n}": "degraded" for n in range(randomness.choice((0, 3, 11, 60)))}
    later = {name: text(randomness) for name in randomness.choice(((), ("resolution",), ("monitoring", "resolution")))}
    ended = randomness.choice((None, NOW))
    deadline = randomness.choice((None, NOW))
    return events.Review(
        "page" * randomness.choice((1, 50)),
        randomness.choice(WORKS),
        "d" * 24,
        "review",
        text(randomness),
        text(randomness),
        components,
        NOW,
        deadline,
        "publish" if deadline else "",
        later,
        ended,
        ended,
    )


def incident(**more) -> events.Incident:
    return events.Incident("down" * 900, "IR-7F3K2QXM-A1B4T9", "Down", "major", "open", NOW, **more)


def list_buttons(made: list) -> list[str]:
    return [element["action_id"] for block in made if block["type"] == "actions" for element in block["elements"]]


def list_plain_blocks(made: list) -> str:
    """Return the plain-text blocks, which Slack shows without formatting."""
    return "".join(block["text"]["text"] for block in made if block.get("text", {}).get("type") == "plain_text")


@pytest.mark.parametrize("seed", range(60))
def test_review_of_any_size_fits_slacks_limits(seed):
    review = make_review(random.Random(seed))
    made = slack_reviews.ReviewRenderer("https://router.example", buttons=True).blocks(
        slack_reviews.ReviewView(incident(), review)
    )
    assert len(made) <= slack_blocks.BLOCKS
    for block in made:
        sdk.Block.parse(block).validate_json()
    assert slack_reviews.DISMISS in list_buttons(made)
    if slack_reviews.APPROVE in list_buttons(made):
        assert list_plain_blocks(made) == review.title + review.message + "".join(review.later.values())
        cells = [cell["text"] for block in made for cell in block.get("fields", [])]
        names = [f"*{slack_blocks.escape(name)}:* degraded" for name in review.components]
        assert cells == names


def test_too_long_review_is_not_approved_in_slack():
    review = events.Review("page", "opening", "d", "review", "t", "m" * 30_001)
    made = slack_reviews.ReviewRenderer("", buttons=True).blocks(slack_reviews.ReviewView(incident(), review))
    assert list_buttons(made) == [slack_reviews.DISMISS]
    assert "Decide in the console" in str(made)


@pytest.mark.parametrize("work", WORKS)
def test_buttons_depend_on_the_kind_of_review(work):
    review = events.Review("page", work, "d", "review", "t", "m")
    view = slack_reviews.ReviewView(incident(), review)
    made = slack_reviews.ReviewRenderer("https://router.example", buttons=True).blocks(view)
    assert (slack_reviews.EDIT in list_buttons(made)) == (work != "retraction")
    [actions] = [block for block in made if block["type"] == "actions"]
    for element in actions["elements"]:
        subject = slack_reviews.read_subject(element["value"])
        assert subject == slack_reviews.ButtonSubject("IR-7F3K2QXM-A1B4T9", "page", "d")
        assert ("confirm" in element) == (element["action_id"] == slack_reviews.DISMISS)
    assert actions["elements"][-1]["url"].startswith("https://router.example/review?incident=IR-7F3K2QXM-A1B4T9")


def test_decided_review_and_other_notifiers_have_no_buttons():
    review = events.Review("page", "opening", "d", "review", "t", "m")
    view = slack_reviews.ReviewView(incident(), review, "Approved by ann")
    assert list_buttons(slack_reviews.ReviewRenderer("", buttons=True).blocks(view)) == []
    assert list_buttons(slack_reviews.ReviewRenderer("", buttons=False).blocks(view._replace(decision=""))) == []


@pytest.mark.parametrize("what", WORKS)
@pytest.mark.parametrize("length", [1, 2999, 3000, 3001])
def test_form_fits_slacks_limits_or_is_not_offered(what, length):
    message = "m" * length
    review = models.Review(
        incident="down",
        reference="IR-7F3K2QXM-A1B4T9",
        destination="page",
        what=what,
        digest="d" * 24,
        reason="review",
        rule="r",
        severity="major",
        title="t",
        message=message,
        fields={"title": "t", "message": message},
        since=NOW,
        deadline_at=None,
        owner="",
        runbook="",
        because=[],
    )
    assert forms.is_editable(review) == (what != "retraction" and length <= 3000)
    if forms.is_editable(review):
        for view in (forms.edit(review), forms.edit(review, {"message": "own"}, "why")):
            views.View(**view).validate_json()
            assert len(view["private_metadata"]) <= 3000
            for block in view["blocks"]:
                sdk.Block.parse(block).validate_json()
    assert replies.to_review_view(review).review.digest == review.digest
