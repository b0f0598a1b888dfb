SELECT parent FROM after WHERE number = ? ORDER BY ordinal
