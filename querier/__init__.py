"""The function that runs on the schedule: it writes one row a day into `queries`."""
