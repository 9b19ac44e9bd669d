#!/bin/sh
# Call events over HTTP with curl: one JSON object a line on standard input. No Kafka client, no partitioner:
# the service sets the key. TOKEN needs the scope cdr:ingest.
#
# TOKEN=... sh curl.sh http://127.0.0.1:8000 < events.ndjson
set -eu
curl -sS --fail-with-body --retry 5 --retry-connrefused -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/x-ndjson' --data-binary @- "$1/ingest/canonical"
