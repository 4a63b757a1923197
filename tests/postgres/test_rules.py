"""The advice of every rule: followed literally, the finding is gone and the statements work."""

from functools import cache
from pathlib import Path

import pytest

from review.rules.catalogue import Example, rules
from tests.postgres import rule_examples
from tests.postgres.rule_examples import Examples, Outcome, all_examples

CASES = pytest.mark.parametrize(
    ("name", "example", "is_partitioned"),
    [
        pytest.param(name, example, is_partitioned, id=f"{name} {example.cause} {form}")
        for name, rule, example in all_examples()
        for form, is_partitioned in (("ordinary", False), ("partitioned", True))
        if "parcels" in example.unsafe or not is_partitioned or not rule.statements
    ],
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return Examples(tmp_path_factory.mktemp("examples"))


@cache
def outcome(examples: Examples, example: Example, *, is_safe: bool, is_partitioned: bool) -> Outcome:
    bodies = example.revisions(is_partitioned=is_partitioned) if is_safe else (example.unsafe,)
    return examples.run(example.before, bodies, is_partitioned=is_partitioned)


@CASES
def test_the_unsafe_example_of_a_rule_has_its_finding_with_the_safe_example_as_advice(
    examples: Examples, name: str, example: Example, *, is_partitioned: bool
) -> None:
    if is_partitioned and not example.partitioned:
        result = outcome(examples, example, is_safe=False, is_partitioned=True)
        assert {finding.rule for finding in result.findings} == {"cannot-run"}
        return
    result = outcome(examples, example, is_safe=False, is_partitioned=is_partitioned)
    advice = [finding.advice for finding in result.findings if finding.rule == name]
    assert advice, [f"{finding.rule}: {finding.message}" for finding in result.findings]
    text = example.advice.replace("{rule}", name)
    assert any(str(each).startswith(text) for each in advice)


@CASES
def test_the_safe_example_of_a_rule_runs_without_findings(
    examples: Examples, name: str, example: Example, *, is_partitioned: bool
) -> None:
    if is_partitioned and not example.partitioned:
        return
    result = outcome(examples, example, is_safe=True, is_partitioned=is_partitioned)
    assert [f"{finding.rule}: {finding.message}" for finding in result.findings] == []
    assert [recording.failure for recording in result.recordings] == [None] * len(
        example.revisions(is_partitioned=is_partitioned)
    )


def test_the_page_of_the_rules_is_written_from_the_examples(examples: Examples) -> None:
    assert rule_examples.PAGE.read_text() == rule_examples.page(messages_of(examples))


def messages_of(examples: Examples) -> dict[tuple[str, str], str]:
    messages = {}
    for name, rule in rules().items():
        for example in rule.examples:
            result = outcome(examples, example, is_safe=False, is_partitioned=False)
            (message, *_) = [finding.message for finding in result.findings if finding.rule == name]
            messages[name, example.cause] = message
    return messages


def test_every_rule_has_a_reason_and_advice() -> None:
    assert [name for name, rule in rules().items() if not rule.why or not (rule.advice or rule.examples)] == []


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        rule_examples.PAGE.write_text(rule_examples.page(messages_of(Examples(Path(name)))))
