"""The HEP listener: packets by UDP and TCP, to Kafka under the key of their call."""
