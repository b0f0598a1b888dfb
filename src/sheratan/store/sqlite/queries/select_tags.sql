SELECT tag FROM tag WHERE number = ? ORDER BY tag
