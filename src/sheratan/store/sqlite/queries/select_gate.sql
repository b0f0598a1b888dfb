SELECT * FROM gate WHERE tenant = ? AND kind = ? AND what = ? AND key = ?
