"""Build checks: what is allowed in a Dockerfile and still not good (Dockerfile reference, "Build checks").

Pure: a Dockerfile and facts about its surroundings in, findings out.  The names of the rules, and the lines that they
point at, are BuildKit's; the words are ours.  One module holds one family of rules.
"""

from .findings import Facts, Finding
from .options import Options
from .rules import RULES, Rule
from .running import check, options_of

__all__ = ["RULES", "Facts", "Finding", "Options", "Rule", "check", "options_of"]
