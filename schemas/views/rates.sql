-- Lines of the tariff decks in use.
SELECT *
FROM rate_rows FINAL
WHERE (deck, version) IN (SELECT deck, max(version) FROM deck_rows GROUP BY deck)
