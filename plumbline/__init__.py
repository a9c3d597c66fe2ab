"""The command line, and the sample documents it can make to try Plumbline with."""
