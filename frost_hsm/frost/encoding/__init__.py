"""ZcashFoundation's two encodings, read in one form each: ``postcard``, JSON (``json_text``), the fields of packages
(``codecs``), and the whole ``package``.
"""
