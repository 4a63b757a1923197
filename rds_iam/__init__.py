"""The parts that all functions share: settings, IAM tokens, and verified connections to the database."""
