"""Call events to Kafka with aiokafka: one JSON object a line on standard input.

pip install aiokafka
python aiokafka_producer.py 127.0.0.1:9092 call-events < events.ndjson
"""

import asyncio
import json
import sys

from aiokafka import AIOKafkaProducer


async def main(bootstrap, topic):
    # aiokafka partitions by murmur2 by itself.
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, compression_type="gzip", linger_ms=5
    )
    await producer.start()
    try:
        sent = []
        for line in sys.stdin.buffer:
            if event := line.strip():
                sent.append(await producer.send(topic, event, key=json.loads(event)["call_id"].encode()))
        await asyncio.gather(*sent)  # raises what Kafka refused
    finally:
        await producer.stop()


asyncio.run(main(*sys.argv[1:]))
