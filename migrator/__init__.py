"""The functions that run during a deployment: the role setup, the upgrade of the schema, the protection."""
