from tests.infra.template import Synthesized, attribute

TIERS = {"Private": "Isolated", "PrivateWithEgress": "Private", "Public": "Public"}


def _tier(subnet: dict[str, list[dict[str, str]]], tag: str) -> str:
    return next(entry["Value"] for entry in subnet["Tags"] if entry["Key"] == f"aws-cdk:subnet-{tag}")


def test_the_vpc_has_three_tiers_with_the_names_and_types_of_the_design(dev: Synthesized) -> None:
    subnets = dev.of_type("AWS::EC2::Subnet").values()
    assert {_tier(subnet, "name"): _tier(subnet, "type") for subnet in subnets} == TIERS


def test_every_subnet_has_256_addresses_in_one_of_two_zones(dev: Synthesized) -> None:
    subnets = dev.of_type("AWS::EC2::Subnet").values()
    zones = [subnet["AvailabilityZone"]["Fn::Select"][0] for subnet in subnets]
    assert all(subnet["CidrBlock"].endswith("/24") for subnet in subnets)
    assert sorted(zones) == [0, 0, 0, 1, 1, 1]


def test_one_nat_gateway_serves_all_zones(dev: Synthesized) -> None:
    assert len(dev.of_type("AWS::EC2::NatGateway")) == 1


def test_the_isolated_tier_has_no_routes(dev: Synthesized) -> None:
    with_routes = {route["RouteTableId"]["Ref"] for route in dev.of_type("AWS::EC2::Route").values()}
    isolated = {name for name in dev.of_type("AWS::EC2::RouteTable") if name.startswith("NetworkVpcPrivateSubnet")}
    assert len(isolated) == 2
    assert not with_routes & isolated


def test_zones_are_resolved_at_deployment_so_that_synth_needs_no_credentials(dev: Synthesized) -> None:
    subnet = dev.properties("AWS::EC2::Subnet", "NetworkVpcPublicSubnet1")
    assert subnet["AvailabilityZone"] == {"Fn::Select": [0, {"Fn::GetAZs": ""}]}


def test_rejected_traffic_is_logged(dev: Synthesized) -> None:
    flow_log = dev.properties("AWS::EC2::FlowLog")
    assert flow_log["TrafficType"] == "REJECT"
    assert flow_log["ResourceId"] == {"Ref": dev.id_of("AWS::EC2::VPC")}
    assert flow_log["LogGroupName"] == {"Ref": dev.id_of("AWS::Logs::LogGroup", "NetworkRejectedTraffic")}


def test_five_functions_may_connect_to_the_database_on_its_port_only(dev: Synthesized) -> None:
    port = attribute(dev.id_of("AWS::RDS::DBInstance"), "Endpoint.Port")
    rules = dev.of_type("AWS::EC2::SecurityGroupIngress").values()
    database = attribute(dev.id_of("AWS::EC2::SecurityGroup", "DatabaseSecurityGroup"), "GroupId")
    sources = [rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] for rule in rules]
    functions = [
        "RolesHandlerFunctionSecurityGroup",
        "UpgradeMigratorFunctionSecurityGroup",
        "QuerierHandlerFunctionSecurityGroup",
        "OperationsReadFunctionSecurityGroup",
        "OperationsChangeFunctionSecurityGroup",
    ]
    assert sorted(sources) == sorted(dev.id_of("AWS::EC2::SecurityGroup", prefix) for prefix in functions)
    assert all(rule["GroupId"] == database for rule in rules)
    assert all((rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", port, port) for rule in rules)


def test_the_database_allows_no_address_and_no_outgoing_connection(dev: Synthesized) -> None:
    group = dev.properties("AWS::EC2::SecurityGroup", "DatabaseSecurityGroup")
    assert "SecurityGroupIngress" not in group
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["255.255.255.255/32"]


def test_the_role_setup_and_the_changing_function_may_connect_to_the_apis_of_aws(dev: Synthesized) -> None:
    to_database = dev.of_type("AWS::EC2::SecurityGroupEgress").values()
    database = attribute(dev.id_of("AWS::EC2::SecurityGroup", "DatabaseSecurityGroup"), "GroupId")
    assert len(to_database) == 5
    assert all(rule["DestinationSecurityGroupId"] == database for rule in to_database)
    by_address = {
        name: [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]]
        for name, group in dev.of_type("AWS::EC2::SecurityGroup").items()
        if "SecurityGroupEgress" in group and not name.startswith("Database")
    }
    functions = ("RolesHandler", "OperationsChange")
    https = [("0.0.0.0/0", 443, 443)]
    assert by_address == {dev.id_of("AWS::EC2::SecurityGroup", prefix): https for prefix in functions}


def test_the_vpcs_default_security_group_is_emptied(dev: Synthesized) -> None:
    assert dev.of_type("Custom::VpcRestrictDefaultSG")
