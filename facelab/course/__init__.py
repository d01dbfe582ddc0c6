"""What only the book and its notebooks need: shared networks, the toy, the literature, the page of figures."""
