#!/bin/sh
# Call events to Kafka with kcat (librdkafka) and jq: one JSON object a line on standard input.
#
# apt-get install kcat jq
# sh kcat.sh 127.0.0.1:9092 call-events < events.ndjson
set -eu
# The key is before the tab. kcat's own default puts a key elsewhere than all other clients do.
jq -rc '"\(.call_id)\t\(tojson)"' |
  kcat -P -b "$1" -t "$2" -K '\t' -z zstd -X partitioner=murmur2_random -X enable.idempotence=true
