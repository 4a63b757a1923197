"""Entry point that checks the events of `Custom::AlembicUpgrade`, outside the VPC, before the migrator is called.

CDK's Provider framework adds the keys of the answer to the event of every call of `upgrade_handler.is_complete`.
"""

import time

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator.events import Event, UpgradeRequest, request_type
from migrator.reporting import report_failure
from migrator.stack_status import is_rolling_back

PHYSICAL_ID = "alembic-upgrade"

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def on_event(event: Event, _context: LambdaContext) -> dict[str, object]:
    """Reject malformed properties before anything happens, and name the resource.

    Adds `StartedAt`, the Unix time in seconds as a text, and `RollingBack`: true, false, or null if CloudFormation does
    not answer.
    """
    with report_failure("upgrade rejected", logger, metric="UpgradeFailed"):
        if request_type(event) == "Delete":
            return {"PhysicalResourceId": str(event["PhysicalResourceId"])}
        started_at = time.time()
        rolling_back = is_rolling_back(event)
        if not rolling_back:  # a rollback must not fail, even with malformed properties
            UpgradeRequest.from_event(event)
        return {"PhysicalResourceId": PHYSICAL_ID, "StartedAt": f"{started_at:.3f}", "RollingBack": rolling_back}
