"""What a module is asked and what it answers: ``return_values`` ``answers`` (every error a sentence), ``attributes``
(nothing left to defaults), ``native`` (the module's functions, as they are).
"""
