"""Who takes part: ``names`` ``identity`` ``roster`` ``numbering``."""
