"""What runs: the Faust app, one agent per input topic, the table, dead letters, the collector, the worker's web."""
