"""What a reviewer should know of revisions before they are merged: `make lint-sql`, `make plan`. No database."""
