"""Rule tests state the automatic drafts of a page, and check the draft fields that a rule keeps."""

import pytest

from router.bootstrap import public_pages
from router.destinations import registry
from router.dry_run import rule_test_runner, simulation
from router.rules import destination_info, load, rule_tests
from router.yaml_source import documents

KINDS = {"devhelm": "devhelm", "page": "devhelm-status-page"}
DESTINATIONS = {
    name: destination_info.DestinationInfo(registry.KINDS[kind].opening, registry.KINDS[kind].public, kind)
    for name, kind in KINDS.items()
}
RULE = """rules:
  - name: r
    when: {labels.a: b}
    open:
      - {at: devhelm, title: Down}
      - {at: page, publish: PUBLISH, title: Down, message: Sorry., impact: MAJOR, keep_draft: KEPT}
tests:
"""
DRAFT = 'drafts: {page: {title: "Checks fail", message: "Drafted.", impact: MINOR, components: {Search: degraded}}}'
OPENED = "{at: 0s, open: devhelm}, {at: 0s, update: page}, "


def list_problems(test, *, publish="auto", kept="[]", follows="devhelm"):
    written = RULE.replace("PUBLISH", publish).replace("KEPT", kept) + f"  - {{name: t, {test}}}\n"
    document = documents.parse(written.encode(), "r.yaml")
    found = []
    (case,) = rule_tests.read(document, DESTINATIONS, found)
    assert found == []
    places = {
        name: public_pages.ConfiguredPage(registry.KINDS[kind], follows if name == "page" else "")
        for name, kind in KINDS.items()
    }
    ruleset = load.from_document(document, DESTINATIONS)

    def make(now):
        return simulation.Simulation(
            ruleset.decide, places, public_pages.render, examine=public_pages.make_examiner(()), now=now
        )

    return [problem.message for problem in rule_test_runner.run(case, make).problems]


def make_test(operations, drafts=DRAFT, more=""):
    return f"{drafts}, alerts: [{{labels: {{a: b}}}}], {more}expect: {{operations: [{operations}]}}"


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("[]", "title: Down, message: Sorry., impact: MAJOR"),
        ("[title]", "title: Checks fail, message: Sorry., impact: MAJOR"),
        ("[message, impact]", "title: Down, message: Drafted., impact: MINOR"),
        ("[components]", "title: Down, components: {Search: degraded}"),
    ],
)
def test_published_draft_keeps_the_configured_fields(kept, said):
    operations = f"{{at: 0s, open: devhelm}}, {{at: 0s, publish: page, {said}}}"
    assert list_problems(make_test(operations), kept=kept) == []
    assert list_problems(make_test(operations.replace("Down,", "Other,").replace("fail,", "pass,")), kept=kept) != []


def test_draft_gets_the_rule_s_texts_and_waits():
    published = "{at: 5m, publish: page, title: Checks fail, message: Sorry.}"
    people = "people: [{at: 5m, approve: page}], "
    assert list_problems(make_test(OPENED + published, more=people), publish="review", kept="[title]") == []
    assert list_problems(make_test(OPENED), publish="review", kept="[title]") == []


def test_kept_draft_text_is_checked_for_leaks():
    host = DRAFT.replace("Checks fail", "db-17.prod.example.com fails")
    assert list_problems(make_test(OPENED, host), kept="[title]") == []
    assert list_problems(make_test("{at: 0s, open: devhelm}, {at: 0s, publish: page}", host), kept="[impact]") == []


def test_missing_draft_is_reported():
    (problem,) = list_problems(make_test("{at: 0s, open: devhelm}, {at: 0s, open: page}"), follows="")
    assert "nothing was drafted" in problem


def test_draft_of_an_unknown_destination_is_refused():
    document = documents.parse(
        (RULE + "  - {name: t, drafts: {pag: {title: x}}, alerts: [{labels: {a: b}}]}\n").encode(), "r.yaml"
    )
    found = []
    assert list(rule_tests.read(document, DESTINATIONS, found)) == []
    assert [problem.message for problem in found] == ['test "t": there is no destination "pag"; did you mean "page"?']
