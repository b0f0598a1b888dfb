SELECT count(*) FROM schedule WHERE state <> 'deleted'
