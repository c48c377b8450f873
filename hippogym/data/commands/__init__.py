"""What the command ``hippogym`` can do with records, one module for each of its subcommands."""
