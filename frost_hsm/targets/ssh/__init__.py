"""For OpenSSH and git: ``wire`` ``sshsig`` ``git`` ``cert``; for programs that ask an agent: ``digest`` ``login``."""
