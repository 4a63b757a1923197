"""The commands of operators: `read_handler` never changes the database, and `change_handler` does.

Each command is a function that takes the context of its handler and checked arguments, and returns an answer in JSON.
"""
