"""What is said, one class a message: ``making`` ``upkeep`` ``complaints``; how it travels: ``signed`` ``inbox``."""
