"""The files that run in AWS: zips of functions, locked wheels, and the root certificates of RDS."""
