"""The VPC: an isolated tier for the database, a tier with egress for the functions, and one for the NAT gateway."""

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import NetworkSettings

TIERS = {
    "Private": ec2.SubnetType.PRIVATE_ISOLATED,
    "PrivateWithEgress": ec2.SubnetType.PRIVATE_WITH_EGRESS,
    "Public": ec2.SubnetType.PUBLIC,
}


class Network(Construct):
    """A VPC with three tiers in each availability zone, and a log of the rejected traffic.

    - `settings`: the size of the VPC
    - `log_retention`: the retention of the log groups
    - `log_removal_policy`: the removal policy of the log groups
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: NetworkSettings,
        log_retention: logs.RetentionDays,
        log_removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._log_retention, self._log_removal_policy = log_retention, log_removal_policy
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=settings.availability_zones,
            nat_gateways=settings.nat_gateways,
            restrict_default_security_group=True,
            subnet_configuration=[
                ec2.SubnetConfiguration(name=name, subnet_type=tier, cidr_mask=settings.subnet_mask)
                for name, tier in TIERS.items()
            ],
        )
        self.vpc.add_flow_log(
            "RejectedTraffic",
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(self._log_group("RejectedTraffic")),
        )
        self._configure_log_of_default_group()

    def _configure_log_of_default_group(self) -> None:
        """Set the log group of CDK's function that empties the VPC's default security group."""
        log_group = self._log_group("DefaultGroupLogs")
        provider = Stack.of(self).node.find_child("Custom::VpcRestrictDefaultSGCustomResourceProvider")
        handler = provider.node.find_child("Handler")
        if not isinstance(handler, CfnResource):
            raise TypeError(f"{handler.node.path} must be a CfnResource (got {handler!r})")
        handler.add_property_override("LoggingConfig.LogGroup", log_group.log_group_name)

    def _log_group(self, construct_id: str) -> logs.LogGroup:
        return logs.LogGroup(self, construct_id, retention=self._log_retention, removal_policy=self._log_removal_policy)
