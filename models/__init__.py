"""The built-in models: declarations only, one file a model or a small family.

Every public module in this folder is searched by :func:`replica.load`; a model is found by its
``name``, so a new file needs no registration.
"""
