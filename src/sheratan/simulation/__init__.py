"""The simulator: the real engine and store in a world whose time, order, network, disk and faults a seed decides."""
