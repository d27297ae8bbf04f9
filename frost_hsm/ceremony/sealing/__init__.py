"""What is secret, and how it leaves the process: ``context`` ``seeds`` ``recipients`` ``envelope`` ``records``; of
shares on their way: ``seat`` ``shares``.
"""
