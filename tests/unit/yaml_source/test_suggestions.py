import pytest

from router.yaml_source import suggestions

KEYS = {"name", "when", "severity", "group_by", "continue", "open", "owner", "runbook"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("sevrity", "severity"), ("groupby", "group_by"), ("Name", "name"), ("OWNER", "owner"), ("wehn", "when")],
)
def test_nearest_name_is_suggested(written, meant):
    assert suggestions.nearest(written, KEYS) == meant
    assert suggestions.hint(written, KEYS) == f'; did you mean "{meant}"?'


def test_dissimilar_name_gives_no_suggestion():
    assert suggestions.nearest("zzz", KEYS) is None
    assert suggestions.hint("zzz", KEYS) == ""


def test_few_valid_names_are_all_listed():
    assert suggestions.hint("zzz", {"not", "equal"}) == "; valid here: equal, not"


def test_hint_is_empty_without_valid_names():
    assert suggestions.hint("zzz", ()) == ""


def test_suggested_name_keeps_its_spelling():
    assert suggestions.nearest("checkout api", ["Checkout API", "Payments"]) == "Checkout API"
