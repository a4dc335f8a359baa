"""What a client of the agent may know: messages, frames and the link.

Nothing here imports agent code, numpy or protobuf: a client starts fast and stays small.
"""
