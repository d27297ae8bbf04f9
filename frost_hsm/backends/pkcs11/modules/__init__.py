"""Modules: ``softhsm`` (its files), ``initialising`` ``module`` (loading; one call at a time), ``p11kit`` ``known``
(which there are).
"""
