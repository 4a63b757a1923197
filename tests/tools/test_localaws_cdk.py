"""The output of the CDK CLI and the events of CloudFormation."""

from pathlib import Path

from localaws.cdk import EVENT, CdkError, failure_reasons

LINE = (
    "PrivateDatabase | 41/95 | 5:23:51 PM | CREATE_COMPLETE         | AWS::EC2::Subnet                      |"
    " Network/Vpc/PublicSubnet2/Subnet (NetworkVpcPublicSubnet2Subnet691E08A3) "
)


def test_a_line_of_progress_is_parsed() -> None:
    match = EVENT.match(LINE)
    assert match
    assert match.groupdict() == {
        "done": "41",
        "total": "95",
        "status": "CREATE_COMPLETE",
        "type": "AWS::EC2::Subnet",
        "resource": "Network/Vpc/PublicSubnet2/Subnet",
    }


def test_a_line_of_progress_without_a_total_is_parsed() -> None:
    match = EVENT.match(LINE.replace("41/95", " 41"))
    assert match
    assert (match["done"], match["total"]) == ("41", None)


def test_other_lines_are_not_parsed_as_progress() -> None:
    assert not EVENT.match("✅  PrivateDatabase")


def test_the_reason_of_a_failure_is_the_error_of_the_function_without_the_stack_trace() -> None:
    reason = (
        "Error: revision broken: 42P07 already exists\n\nLogs: /aws/lambda/migrator\n\n    at invokeUserFunction (…)"
    )
    events = [
        {"LogicalResourceId": "Vpc", "ResourceStatus": "CREATE_COMPLETE", "ResourceStatusReason": ""},
        {"LogicalResourceId": "Upgrade", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": reason},
    ]
    assert failure_reasons(events) == {"Upgrade": "Error: revision broken: 42P07 already exists"}


def test_an_error_names_the_resources_that_failed_and_the_log(tmp_path: Path) -> None:
    log = tmp_path / "deploy.log"
    error = CdkError("deploy", {"Upgrade": "42P07"}, log)
    assert str(error) == f"cdk deploy failed: Upgrade: 42P07 (log: {log})"


def test_an_error_without_reasons_contains_the_last_line_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "synth.log"
    log.write_text("something\nerror: stage is 'x', it should be dev or prod\n\n")
    assert "error: stage is 'x'" in str(CdkError("synth", {}, log))


def test_an_error_of_the_app_is_shown_with_all_its_lines(tmp_path: Path) -> None:
    log = tmp_path / "synth.log"
    log.write_text("warning\nerror: module a is missing\nmodule b is missing\napp.py: Subprocess exited with error 1\n")
    reason = "error: module a is missing\nmodule b is missing"
    assert str(CdkError("synth", {}, log)) == f"cdk synth failed: {reason} (log: {log})"
