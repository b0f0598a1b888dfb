SELECT * FROM approval_act WHERE (approval, entry) > (?1, ?2) ORDER BY approval, entry LIMIT ?3
