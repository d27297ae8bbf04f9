"""What is secret, and how it leaves the process: ``context`` ``seeds`` ``recipients`` ``envelope``; what is kept of it,
and what a token remembers besides: ``shelf`` ``marks`` ``records``; of shares on their way: ``seat`` ``shares``.
"""
