"""What runs while the stack is deployed: the roles of the database, then the upgrade of its schema."""
