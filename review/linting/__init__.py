"""The lint of revisions: squawk's rules on their SQL; our own on the SQL, the Python and the history."""
