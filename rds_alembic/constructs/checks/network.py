"""The rules of the subnets of a function, and their default."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2

from rds_alembic.errors import RdsAlembicError

_REMEDY = (
    "give the VPC a NAT gateway and select subnets of type PRIVATE_WITH_EGRESS, or add an interface endpoint of "
    "secretsmanager to the VPC"
)


def choose_subnets(vpc: Any, selection: Any, *, needs_route: bool) -> ec2.SubnetSelection:
    """Return the selection, or by default the private subnets with egress.

    Raises RdsAlembicError for public subnets, in which functions have no address, and, with `needs_route`, for isolated
    subnets without an endpoint of Secrets Manager.
    """
    if not hasattr(vpc, "select_subnets"):
        raise RdsAlembicError(f"vpc must be a VPC of aws_cdk.aws_ec2 (got {vpc!r})")
    if selection is not None and not isinstance(selection, ec2.SubnetSelection):
        raise RdsAlembicError(f"vpc_subnets must be a SubnetSelection (got {selection!r})")
    chosen = selection or _default_selection(vpc, needs_route=needs_route)
    subnets = _select(vpc, chosen)
    if subnets.has_public:
        raise RdsAlembicError(
            f"vpc_subnets must be private, because a function has no public address (got {_names(subnets)})"
        )
    # The endpoints of an imported VPC are not known.
    if needs_route and isinstance(vpc, ec2.Vpc) and _has_isolated(vpc, subnets) and not _has_endpoint(vpc):
        raise RdsAlembicError(
            f"vpc_subnets must have a route to Secrets Manager (got isolated {_names(subnets)}): {_REMEDY}"
        )
    return chosen


def _default_selection(vpc: ec2.IVpc, *, needs_route: bool) -> ec2.SubnetSelection:
    if vpc.private_subnets:
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    has_way = not needs_route or not isinstance(vpc, ec2.Vpc) or _has_endpoint(vpc)
    if vpc.isolated_subnets and has_way:
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    raise RdsAlembicError(
        f"vpc must have private subnets with a route to Secrets Manager (got {vpc.node.path}): {_REMEDY}"
    )


def _select(vpc: ec2.IVpc, selection: ec2.SubnetSelection) -> ec2.SelectedSubnets:
    try:
        return vpc.select_subnets(
            availability_zones=selection.availability_zones,
            one_per_az=selection.one_per_az,
            subnet_filters=selection.subnet_filters,
            subnet_group_name=selection.subnet_group_name,
            subnets=selection.subnets,
            subnet_type=selection.subnet_type,
        )
    except RuntimeError as exc:  # of jsii
        reason = " ".join(str(exc).split())
        raise RdsAlembicError(f"vpc_subnets must select subnets of the VPC {vpc.node.path}: {reason}") from exc


def _has_isolated(vpc: ec2.Vpc, subnets: ec2.SelectedSubnets) -> bool:
    isolated = {subnet.node.path for subnet in vpc.isolated_subnets}
    return any(subnet.node.path in isolated for subnet in subnets.subnets)


def _has_endpoint(vpc: ec2.Vpc) -> bool:
    """Return whether the app creates an endpoint of Secrets Manager in the VPC."""
    resolve = Stack.of(vpc).resolve
    endpoints = [node for node in vpc.node.root.node.find_all() if isinstance(node, ec2.CfnVPCEndpoint)]
    return any(
        "secretsmanager" in str(resolve(endpoint.service_name)) and resolve(endpoint.vpc_id) == resolve(vpc.vpc_id)
        for endpoint in endpoints
    )


def _names(subnets: ec2.SelectedSubnets) -> str:
    return ", ".join(subnet.node.path for subnet in subnets.subnets)
