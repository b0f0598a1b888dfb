INSERT INTO idempotency VALUES :rows
