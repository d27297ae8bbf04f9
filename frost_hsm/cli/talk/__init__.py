"""What a person sees and says.

- shown: ``text`` ``output`` ``looks`` ``markdown`` ``pager`` ``fingerprints``
- asked: ``keyboard`` ``terminal`` ``pin`` ``agreement``
"""
