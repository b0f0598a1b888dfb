INSERT INTO node_job VALUES :rows
