"""What is shown: Prometheus, and later Grafana, from files that are provisioned as they are."""
