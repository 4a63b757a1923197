"""The destruction of the stack, after the modules about its deployments."""

from localaws.aws import LocalAws
from localaws.cdk import Cdk
from tests.e2e.assemblies import Assemblies
from tests.e2e.processes import descendants, wait_until_gone
from tests.e2e.stack import Deployed, status


def test_destroying_the_stack_removes_the_database_and_ends_all_processes(
    aws: LocalAws, created: Deployed, cdk: Cdk, assemblies: Assemblies
) -> None:
    processes = descendants(aws.state.pid)
    cdk.destroy(assemblies["first"])
    assert status(aws) == ""
    assert aws.databases() == []
    assert wait_until_gone(processes, 10) == set()
