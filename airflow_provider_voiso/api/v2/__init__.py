"""What belongs to version 2 of the API alone: parameters, pages, search tokens, dates without a zone."""
