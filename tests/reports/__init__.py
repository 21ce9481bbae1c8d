"""Faults that users of other gateways reported, replayed against this one (tests/data/reports).

A report has steps. A step is a `request` to the server, an `event` for a function, or a body to
`prepare` for a provider; with what the `upstream` answers in turn, what usage must add (`meter`),
what to `save` from the answer for later steps, and what to `expect`: [path, operator, value].
"""
