-- Tariff decks in use.
SELECT * EXCEPT (deleted)
FROM deck_rows FINAL
WHERE (deck, version) IN (SELECT deck, max(version) FROM deck_rows GROUP BY deck) AND deleted = 0
