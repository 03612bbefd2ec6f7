"""The command line: one module per command or group of commands, their options, and how results are printed."""
