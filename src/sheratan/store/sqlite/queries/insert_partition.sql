INSERT INTO partition_name VALUES :rows
