"""What is read and written.

In the order in which one may read it: ``temporary`` ``door`` ``incoming`` ``packages`` ``public_keys`` ``finished``
``things`` ``dossiers`` ``papers`` ``description``
"""
