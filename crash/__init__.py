"""The crash battery: the real program with real processes and real faults, judged by what its clients saw."""
