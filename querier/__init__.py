"""What runs on the schedule: one row a day into `queries`."""
