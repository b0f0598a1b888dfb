"""The language of Sheratan: ids, jobs, commands, entries, limits and errors. Nothing here acts."""
