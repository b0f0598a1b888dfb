INSERT INTO segment VALUES :rows
