"""What a person sees and says.

- shown: ``text`` ``output`` ``pager`` ``fingerprints``
- asked: ``keyboard`` ``terminal`` ``pin`` ``agreement``
"""
