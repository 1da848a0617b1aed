"""Lower derived equations to compiled code, or to NumPy where there is no compiler."""
