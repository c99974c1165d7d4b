"""The check of a whole store, from recorded bytes to the chain: a list of independent checks, and what runs them.

A check reads one snapshot, recomputes, and names each record that is not what it follows from. None of them writes,
and none rests on another's outcome. :data:`sealtrail.services.fsck.checks.CHECKS` lists them.
"""
