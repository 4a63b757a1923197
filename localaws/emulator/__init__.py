"""The emulator of AWS: ministack in strict mode, and the replacements of the parts that this project's stack needs."""
