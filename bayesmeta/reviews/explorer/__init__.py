"""The explorer of the report page: each analysis computed again in the reader's browser, under other priors, data and bands."""
