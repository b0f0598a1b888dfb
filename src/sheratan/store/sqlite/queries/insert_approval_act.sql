INSERT INTO approval_act VALUES :rows
