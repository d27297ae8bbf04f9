"""What a signature is for: a target turns a thing into bytes to sign, and the signature into a file that tools take.

In the order in which one may read it: ``group_private_key``
"""
