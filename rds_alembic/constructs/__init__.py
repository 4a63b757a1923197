"""The CDK constructs. They never import boto3 or a package that runs in a function."""
