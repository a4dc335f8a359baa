"""Files on their way from one folder to another, in pieces: by agents, and by clients for own folders."""
