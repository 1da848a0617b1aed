"""Compile actions of matrices to dense linear algebra, and minimise them."""
