"""The device: hears a part's name, plays the client's phrase, seals one line for the clinician."""
