"""What a deployment would do: the revisions it runs, their SQL, the locks they take and what the lint says of them."""
