SELECT * FROM approval_act WHERE approval = ? ORDER BY entry
