"""The lint of revisions: squawk's rules for the SQL, and this project's rules for SQL, Python and history."""
