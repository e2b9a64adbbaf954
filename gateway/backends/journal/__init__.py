"""Writes, recorded before they go out: nothing is lost, nothing done twice, and all is announced.

`states` is the machine that every record goes through, `records` what is kept and the port of its
stores, `backend` the backend that keeps to both. It knows no protocol of Stripe's.
"""
