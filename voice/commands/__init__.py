"""The device's commands, one file each: options, wording and exit codes, no logic."""
