"""What a user imports: kinds of jobs, a client, a worker. It knows the contracts and nothing of the engine."""
