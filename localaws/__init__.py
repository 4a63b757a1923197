"""One machine standing in for AWS: for the demo, the tests and writing migrations. Nothing of it is ever deployed."""
