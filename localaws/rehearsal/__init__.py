"""The rehearsal of a deployment: its functions apply the revisions of a project to an ephemeral database."""

from localaws.rehearsal.function import RehearsalError
from localaws.rehearsal.function_log import LogEntry
from localaws.rehearsal.rehearsal import Rehearsal, RehearsalSettings, UpgradeResult

__all__ = ["LogEntry", "Rehearsal", "RehearsalError", "RehearsalSettings", "UpgradeResult"]
