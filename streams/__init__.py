"""What happens, and what it means: events, programs, state. No Kafka, no Faust, no Prometheus client."""
