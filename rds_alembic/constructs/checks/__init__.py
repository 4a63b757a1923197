"""The rules of the constructs' props. A violation is one RdsAlembicError with the prop, the rule and the value."""
