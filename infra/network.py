"""The VPC: an isolated tier for the database, one with a way out for the functions, and one for the NAT gateway."""

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import LogSettings, NetworkSettings

TIERS = {
    "Private": ec2.SubnetType.PRIVATE_ISOLATED,
    "PrivateWithEgress": ec2.SubnetType.PRIVATE_WITH_EGRESS,
    "Public": ec2.SubnetType.PUBLIC,
}


class Network(Construct):
    """A VPC with three tiers in each availability zone, and a log of the traffic that was rejected."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: NetworkSettings, log_settings: LogSettings
    ) -> None:
        super().__init__(scope, construct_id)
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
        self._log_rejected_traffic(log_settings)
        self._keep_log_of_default_group(log_settings)

    def _log_rejected_traffic(self, settings: LogSettings) -> None:
        """Log who was turned away, which is what one asks of a private database, and costs little."""
        log_group = logs.LogGroup(
            self, "RejectedTraffic", retention=settings.retention, removal_policy=settings.removal_policy
        )
        self.vpc.add_flow_log(
            "RejectedTraffic",
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group),
        )

    def _keep_log_of_default_group(self, settings: LogSettings) -> None:
        """Give CDK's function that empties the VPC's default security group a log that goes with the stack."""
        log_group = logs.LogGroup(
            self, "DefaultGroupLogs", retention=settings.retention, removal_policy=settings.removal_policy
        )
        provider = Stack.of(self).node.find_child("Custom::VpcRestrictDefaultSGCustomResourceProvider")
        handler = provider.node.find_child("Handler")
        if not isinstance(handler, CfnResource):
            raise TypeError(f"{handler.node.path} is no resource")
        handler.add_property_override("LoggingConfig.LogGroup", log_group.log_group_name)
