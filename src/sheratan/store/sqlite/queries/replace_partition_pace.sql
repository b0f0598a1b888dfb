INSERT OR REPLACE INTO partition_pace VALUES :rows
