"""What every function shares: settings, IAM tokens, and verified connections to the database."""
