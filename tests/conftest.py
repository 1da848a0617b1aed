"""Properties are tested on the same examples every time, however loaded the machine is."""

from hypothesis import settings

settings.register_profile("replica", deadline=None, derandomize=True)
settings.load_profile("replica")
