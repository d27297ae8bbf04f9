"""What is read and written: ``door`` ``incoming`` ``packages`` ``public_keys`` ``dossiers`` ``description``."""
