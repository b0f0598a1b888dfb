SELECT lane, count(*) FROM ready GROUP BY lane
