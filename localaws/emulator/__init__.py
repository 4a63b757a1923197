"""The process that stands in for AWS: ministack, strict, and what it lacks of what this project's stack needs."""
