"""What the loop over levels is made of (``ception`` is the loop): where a level's files come from, what a builder
gives, which level comes next, and what is checked before one is built.

From above: ``descent`` says which level comes next, ``earlier`` what it may name of those before it, ``root_checks``
looks after what IN and PUBLISH promise; ``checking`` is the way into the build checks; ``sources``, with
``remote_sources``, opens what a request names; ``emitting`` runs a builder and believes nothing before all of it is
proven.
"""
