"""The way from a client to agents on other machines: addresses, host keys, SSH."""
