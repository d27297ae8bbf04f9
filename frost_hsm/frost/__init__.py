"""The protocol, pure: ZcashFoundation's FROST key generation and RFC 9591 signing. No files, no clock, no
token.
"""
