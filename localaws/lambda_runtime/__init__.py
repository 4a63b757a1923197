"""The local Lambda runtime for Python functions: interpreter, execution environments and packages. No ministack."""
