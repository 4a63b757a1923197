"""What the review raises."""


class ReviewError(Exception):
    """There is nothing to judge: the history cannot be read or rendered."""
