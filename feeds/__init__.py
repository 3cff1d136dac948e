"""What comes in: the simulator, event files, CAD exports, and the producer that sends them to Kafka."""
