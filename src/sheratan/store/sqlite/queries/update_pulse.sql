UPDATE shard SET pulse_us = ? WHERE shard = 0
