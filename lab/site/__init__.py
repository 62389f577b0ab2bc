"""What turns pages and captures into the site: a lexer, receipts, figures, and checks of the result."""
