INSERT INTO blocked VALUES :rows
