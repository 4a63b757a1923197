"""The EC2 resource types that ministack's CloudFormation does not have. They are records without a network."""

from __future__ import annotations

import re

from localaws.emulator.ministack import Attributes, Properties, ResourceType, ec2, tag_ec2


def register() -> None:
    """Add the resource types to CloudFormation."""
    ResourceType(create_address, delete_address).register("AWS::EC2::EIP")
    ResourceType(create_nat_gateway, delete_nat_gateway).register("AWS::EC2::NatGateway")
    ResourceType(create_flow_log, delete_flow_log).register("AWS::EC2::FlowLog")
    security_group_rule("Ingress").register("AWS::EC2::SecurityGroupIngress")
    security_group_rule("Egress").register("AWS::EC2::SecurityGroupEgress")


def create_address(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Allocate an Elastic IP. The physical id is the address and the allocation id, joined by `|`."""
    response = ec2("AllocateAddress", {"Domain": properties.get("Domain", "vpc")})
    address, allocation = _element(response, "publicIp"), _element(response, "allocationId")
    tag_ec2(allocation, properties)
    return f"{address}|{allocation}", {"AllocationId": allocation, "PublicIp": address}


def delete_address(physical_id: str, _properties: Properties) -> None:
    """Release the Elastic IP."""
    ec2("ReleaseAddress", {"AllocationId": physical_id.partition("|")[2]})


def create_nat_gateway(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Create a NAT gateway."""
    parameters = {name: properties.get(name) for name in ("SubnetId", "AllocationId", "ConnectivityType")}
    gateway = _element(ec2("CreateNatGateway", parameters), "natGatewayId")
    tag_ec2(gateway, properties)
    return gateway, {"NatGatewayId": gateway}


def delete_nat_gateway(physical_id: str, _properties: Properties) -> None:
    """Delete the NAT gateway."""
    ec2("DeleteNatGateway", {"NatGatewayId": physical_id})


def create_flow_log(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Create the record of a flow log. It stays empty."""
    parameters = {name: properties.get(name) for name in ("ResourceType", "TrafficType", "LogDestinationType")}
    destination = {name: properties.get(name) for name in ("LogDestination", "LogGroupName")}
    response = ec2("CreateFlowLogs", {"ResourceId.1": properties["ResourceId"], **parameters, **destination})
    flow_log = _element(response, "item")
    tag_ec2(flow_log, properties)
    return flow_log, {"Id": flow_log}


def delete_flow_log(physical_id: str, _properties: Properties) -> None:
    """Delete the record of the flow log."""
    ec2("DeleteFlowLogs", {"FlowLogId.1": physical_id})


def security_group_rule(direction: str) -> ResourceType:
    """Return the resource type of a separate security group rule. `direction`: Ingress or Egress."""

    def create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
        response = ec2(f"AuthorizeSecurityGroup{direction}", _permission(properties, direction))
        rule = _element(response, "securityGroupRuleId")
        return rule, {"Id": rule}

    def delete(physical_id: str, properties: Properties) -> None:
        group = {"GroupId": properties["GroupId"], "SecurityGroupRuleId.1": physical_id}
        ec2(f"RevokeSecurityGroup{direction}", group)

    return ResourceType(create, delete)


def _permission(properties: Properties, direction: str) -> dict[str, object]:
    """Convert the properties of a rule to the parameters of EC2's API."""
    peer = properties.get("SourceSecurityGroupId" if direction == "Ingress" else "DestinationSecurityGroupId")
    rule = {
        "IpProtocol": properties.get("IpProtocol", "-1"),
        "FromPort": properties.get("FromPort"),
        "ToPort": properties.get("ToPort"),
        "Groups.1.GroupId": peer,
        "IpRanges.1.CidrIp": properties.get("CidrIp"),
        "Ipv6Ranges.1.CidrIpv6": properties.get("CidrIpv6"),
    }
    return {"GroupId": properties["GroupId"], **{f"IpPermissions.1.{name}": value for name, value in rule.items()}}


def _element(xml: str, name: str) -> str:
    element = re.search(rf"<{name}>(.*?)</{name}>", xml)
    if element is None:
        raise ValueError(f"the response of EC2 must have an element <{name}> (got {xml[:200]})")
    return element[1]
