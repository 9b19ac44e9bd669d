"""Live inputs: listeners that take what a PBX sends and produce it to Kafka."""
