"""What listens to the telemetry: logs, and the text of the metrics."""
