"""Places that images come from and go to, one module a place; they share only the two values of ``base``.

A transport yields verified bytes.  It unpacks nothing, starts no sandbox and knows no engine.
"""
