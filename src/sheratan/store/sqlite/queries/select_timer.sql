SELECT * FROM timer WHERE number = ?
