-- Events as they came, each once.
SELECT * FROM event_rows FINAL
