"""For OpenPGP: ``packets`` ``signature`` ``key``."""
