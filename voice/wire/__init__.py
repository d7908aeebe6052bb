"""All that the device, the server and the reader share: the sealed record and the pairing. See FORMAT.md."""
