"""The benchmark: carewatch beside its peers, in one run, on one broker, with the same events. See docs/performance.md."""
