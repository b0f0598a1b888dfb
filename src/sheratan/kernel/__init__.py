"""The thinking: pure functions. No await, clock, randomness, environment, logging or I/O."""
