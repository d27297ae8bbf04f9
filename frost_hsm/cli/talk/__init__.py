"""What a person sees and says.

- shown: ``text`` ``output`` ``looks`` ``pager`` ``fingerprints``
- asked: ``keyboard`` ``terminal`` ``pin`` ``agreement``
"""
