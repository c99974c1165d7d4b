"""Property tests find faults, not slow machines: no deadline an example."""

from hypothesis import settings

settings.register_profile("sealtrail", deadline=None)
settings.load_profile("sealtrail")
