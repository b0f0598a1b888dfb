INSERT OR REPLACE INTO proposal_member VALUES :rows
