INSERT INTO mention VALUES :rows
