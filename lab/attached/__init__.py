"""Your own cluster: which of its nodes play the book's, what it lacks, and what is another value there."""
