"""The same nodes as virtual machines: their box, what Vagrant gives them, and how they begin and end."""
