"""The door of the local RDS: ends TLS, checks the tokens of IAM roles, and leaves the rest to the server behind it.

A process of its own (`python -m localaws.front_door`), because a client's cancel blocks the process it comes from until
the server has answered.
"""
