"""Call events to Kafka with confluent-kafka (librdkafka): one JSON object a line on standard input.

pip install confluent-kafka
python confluent_producer.py 127.0.0.1:9092 call-events < events.ndjson
"""

import json
import sys

from confluent_kafka import Producer

bootstrap, topic = sys.argv[1:]
refused = []
producer = Producer(
    {
        "bootstrap.servers": bootstrap,
        # librdkafka's own default puts a key elsewhere than all other clients do.
        "partitioner": "murmur2_random",
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 5,
        "delivery.timeout.ms": 120_000,
    }
)


def delivered(error, message):
    if error is not None:
        refused.append(f"{message.key().decode()}: {error}")


for line in sys.stdin.buffer:
    if event := line.strip():
        while True:
            try:
                producer.produce(topic, event, key=json.loads(event)["call_id"], on_delivery=delivered)
                break
            except BufferError:  # the queue is full: Kafka is slower than we are, or away
                producer.poll(1)
        producer.poll(0)
producer.flush()
if refused:
    sys.exit("\n".join(refused))
