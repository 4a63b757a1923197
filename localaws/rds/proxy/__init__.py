"""The IAM authentication proxy: terminates TLS, verifies the tokens of IAM roles, and relays to the server."""
