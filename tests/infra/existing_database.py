"""The values that CDK's CLI looks up for an existing database, and writes to cdk.context.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
CONTEXT = {
    "database": "shop",
    "vpc": "vpc-0a1b2c3d4e5f60718",
    "master-secret": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:shop-AbCdEf",
}
VPC = {
    "vpcId": "vpc-0a1b2c3d4e5f60718",
    "vpcCidrBlock": "10.0.0.0/16",
    "ownerAccountId": ACCOUNT,
    "availabilityZones": [],
    "subnetGroups": [
        {
            "name": "Private",
            "type": "Private",
            "subnets": [
                {
                    "subnetId": f"subnet-0123456789abcdef{number}",
                    "cidr": "10.0.1.0/24",
                    "availabilityZone": f"eu-central-1{zone}",
                    "routeTableId": "rtb-1",
                }
                for number, zone in enumerate("ab")
            ],
        }
    ],
}
INSTANCE = {
    "Identifier": "shop",
    "DBInstanceArn": f"arn:aws:rds:eu-central-1:{ACCOUNT}:db:shop",
    "Endpoint.Address": "shop.example.eu-central-1.rds.amazonaws.com",
    "Endpoint.Port": "5433",
    "DbiResourceId": "db-SHOP",
    "DBSecurityGroups": [],
    "VPCSecurityGroups": ["sg-0c1d2e3f405162738", "sg-0e1f2a3b4c5d6e7f8"],
}


def looked_up(assembly: Path, vpc: Mapping[str, Any] = VPC, instance: Mapping[str, Any] = INSTANCE) -> dict[str, Any]:
    """Return the context that answers the lookups of an assembly that was synthesized without credentials."""
    values = {"vpc-provider": vpc, "cc-api-provider": [instance]}
    missing = json.loads((assembly / "manifest.json").read_text()).get("missing", [])
    return {lookup["key"]: values[lookup["provider"]] for lookup in missing}
