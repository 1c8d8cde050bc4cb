import pytest

from router.yaml_source import suggestions

KEYS = {"name", "when", "severity", "group_by", "continue", "open", "owner", "runbook"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("sevrity", "severity"), ("groupby", "group_by"), ("Name", "name"), ("OWNER", "owner"), ("wehn", "when")],
)
def test_the_likely_name_is_found(written, meant):
    assert suggestions.nearest(written, KEYS) == meant
    assert suggestions.hint(written, KEYS) == f'; did you mean "{meant}"?'


def test_nothing_alike_means_no_guess():
    assert suggestions.nearest("zzz", KEYS) is None
    assert suggestions.hint("zzz", KEYS) == ""


def test_few_valid_names_are_all_listed():
    assert suggestions.hint("zzz", {"not", "equal"}) == "; valid here: equal, not"


def test_no_valid_names_means_no_hint():
    assert suggestions.hint("zzz", ()) == ""


def test_suggested_name_keeps_its_spelling():
    assert suggestions.nearest("checkout api", ["Checkout API", "Payments"]) == "Checkout API"
