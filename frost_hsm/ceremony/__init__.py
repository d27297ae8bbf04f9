"""People making and using a key: signed, encrypted, agreed, and resumable after any crash."""
