"""The plan of a deployment: its revisions with their SQL, locks and findings."""
