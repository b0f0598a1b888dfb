"""How many examples hypothesis tries: a quick profile by default, `HYPOTHESIS_PROFILE=long` for a night.

The quick one draws the same examples every time: a gate says something of the change, not of the dice. The long one
draws anew.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A loaded machine is slow, which is no fault of an example.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("ci"), derandomize=False, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
