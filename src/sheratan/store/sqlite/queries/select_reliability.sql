SELECT * FROM reliability WHERE tenant = ? AND account = ? AND unit = ?
