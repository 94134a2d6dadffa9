"""The oracle: the contract computed again, slowly and plainly, from the set of raw events.

It shares no code with the pipeline, so an error has to be made twice, in two ways, to go unseen. It is written to be
read beside the contract, rule by rule, and not to be fast: `tests.oracle.recompute.recompute` is the way in.
"""
