"""All that device, server and reader share: byte-exact formats, with FORMAT.md as their text."""
