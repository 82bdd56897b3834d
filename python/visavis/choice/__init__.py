"""The choice of the default model by measurement: one factor at a time around it, the runs, the table."""
