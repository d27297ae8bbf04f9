"""What a person sees and says: ``output`` ``terminal`` ``pin`` ``fingerprints`` ``agreement``."""
