"""Version 2 of the API: its parameters, pages, search tokens and dates without a zone."""
