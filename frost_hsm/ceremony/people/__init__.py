"""Who takes part: ``names`` ``identity`` ``trial`` ``roster`` ``numbering``."""
