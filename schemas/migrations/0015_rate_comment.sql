-- The price of a minute, not the line of the tariff: analysts read the comment.
ALTER TABLE call_rows COMMENT COLUMN rate 'Price of a minute after the first interval, decimal as text';
