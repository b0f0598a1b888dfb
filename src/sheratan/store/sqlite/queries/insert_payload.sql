INSERT OR IGNORE INTO payload (digest, body) VALUES :rows
