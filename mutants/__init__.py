"""Planted bugs: the simulator must find them. A harness that cannot fail proves nothing."""
