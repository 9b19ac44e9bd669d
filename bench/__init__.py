"""Speed and memory, measured on Apache Kafka with one worker and compared side by side."""
