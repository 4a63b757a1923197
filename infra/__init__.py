"""Synth-time code: the stack, its constructs, and how a function's zip is built.

Nothing here runs in AWS, and nothing here imports a function's package: what a function is promised (handler,
environment, properties) is text, and a test compares it with what the function parses.
"""
