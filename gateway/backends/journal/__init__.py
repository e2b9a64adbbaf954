"""Writes, recorded before they go out: nothing is lost, nothing done twice, and all is announced.

It knows no protocol of Stripe's.
"""
