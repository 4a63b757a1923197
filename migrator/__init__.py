"""The functions that run while the stack is deployed: role setup, upgrade, protection, log retention."""
