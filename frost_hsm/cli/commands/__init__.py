"""The commands, each in the module of its name.

``sign`` has verbs in modules of their own: ``preparing`` ``plain`` ``archiving``; ``ceremony`` one: ``rehearsing``.
"""
