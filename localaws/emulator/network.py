"""The EC2 resource types of a VPC that ministack's CloudFormation lacks. Records only: no packet is ever filtered."""

from __future__ import annotations

import re

from localaws.emulator.ministack import Attributes, Properties, ResourceType, ec2, tag_ec2


def register() -> None:
    """Add the types."""
    ResourceType(create_address, delete_address).register("AWS::EC2::EIP")
    ResourceType(create_nat_gateway, delete_nat_gateway).register("AWS::EC2::NatGateway")
    ResourceType(create_flow_log, delete_flow_log).register("AWS::EC2::FlowLog")
    security_group_rule("Ingress").register("AWS::EC2::SecurityGroupIngress")
    security_group_rule("Egress").register("AWS::EC2::SecurityGroupEgress")


def create_address(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Allocate an Elastic IP. CloudFormation's physical id is the address and the allocation, joined."""
    answer = ec2("AllocateAddress", {"Domain": properties.get("Domain", "vpc")})
    address, allocation = _element(answer, "publicIp"), _element(answer, "allocationId")
    tag_ec2(allocation, properties)
    return f"{address}|{allocation}", {"AllocationId": allocation, "PublicIp": address}


def delete_address(physical_id: str, _properties: Properties) -> None:
    """Release the Elastic IP."""
    ec2("ReleaseAddress", {"AllocationId": physical_id.partition("|")[2]})


def create_nat_gateway(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Make a NAT gateway."""
    wanted = {name: properties.get(name) for name in ("SubnetId", "AllocationId", "ConnectivityType")}
    gateway = _element(ec2("CreateNatGateway", wanted), "natGatewayId")
    tag_ec2(gateway, properties)
    return gateway, {"NatGatewayId": gateway}


def delete_nat_gateway(physical_id: str, _properties: Properties) -> None:
    """Remove the NAT gateway."""
    ec2("DeleteNatGateway", {"NatGatewayId": physical_id})


def create_flow_log(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Record a flow log; nothing flows into it."""
    wanted = {name: properties.get(name) for name in ("ResourceType", "TrafficType", "LogDestinationType")}
    destination = {name: properties.get(name) for name in ("LogDestination", "LogGroupName")}
    answer = ec2("CreateFlowLogs", {"ResourceId.1": properties["ResourceId"], **wanted, **destination})
    flow_log = _element(answer, "item")
    tag_ec2(flow_log, properties)
    return flow_log, {"Id": flow_log}


def delete_flow_log(physical_id: str, _properties: Properties) -> None:
    """Remove the record of the flow log."""
    ec2("DeleteFlowLogs", {"FlowLogId.1": physical_id})


def security_group_rule(direction: str) -> ResourceType:
    """Return the type for a rule that is a resource of its own; `direction` is Ingress or Egress."""

    def create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
        answer = ec2(f"AuthorizeSecurityGroup{direction}", _permission(properties, direction))
        rule = _element(answer, "securityGroupRuleId")
        return rule, {"Id": rule}

    def delete(physical_id: str, properties: Properties) -> None:
        group = {"GroupId": properties["GroupId"], "SecurityGroupRuleId.1": physical_id}
        ec2(f"RevokeSecurityGroup{direction}", group)

    return ResourceType(create, delete)


def _permission(properties: Properties, direction: str) -> dict[str, object]:
    """Return a rule's properties as the parameters of EC2's API."""
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
    found = re.search(rf"<{name}>(.*?)</{name}>", xml)
    if found is None:
        raise ValueError(f"EC2 answered without <{name}>: {xml[:200]}")
    return found[1]
