"""The table of rules: what each is for, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

RuleName = Literal[
    "StageNameCasing",
    "FromAsCasing",
    "NoEmptyContinuation",
    "ConsistentInstructionCasing",
    "DuplicateStageName",
    "ReservedStageName",
    "JSONArgsRecommended",
    "MaintainerDeprecated",
    "UndefinedArgInFrom",
    "WorkdirRelativePath",
    "UndefinedVar",
    "MultipleInstructionsDisallowed",
    "LegacyKeyValueFormat",
    "RedundantTargetPlatform",
    "SecretsUsedInArgOrEnv",
    "InvalidDefaultArgInFrom",
    "FromPlatformFlagConstDisallowed",
    "CopyIgnoredFile",
    "InvalidDefinitionDescription",
    "ExposeProtoCasing",
    "ExposeInvalidFormat",
]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """``is_experimental``: only where ``experimental=`` asks for it; ``skip=`` does not count for it."""

    description: str
    is_experimental: bool = False


RULES: Final[Mapping[RuleName, Rule]] = {
    "StageNameCasing": Rule(description="The names of stages are in lower case."),
    "FromAsCasing": Rule(description="FROM and AS are written in the same case."),
    "NoEmptyContinuation": Rule(description="No blank line stands between continued lines; it will be an error."),
    "ConsistentInstructionCasing": Rule(description="All instructions are in upper case, or all in lower case."),
    "DuplicateStageName": Rule(description="No two stages have the same name."),
    "ReservedStageName": Rule(description="No stage is called by a reserved word."),
    "JSONArgsRecommended": Rule(
        description="CMD and ENTRYPOINT are JSON arrays, so that signals reach the program and not a shell."
    ),
    "MaintainerDeprecated": Rule(description="The author of an image is a label; MAINTAINER is deprecated."),
    "UndefinedArgInFrom": Rule(description="What FROM uses is declared by an ARG before it."),
    "WorkdirRelativePath": Rule(description="A relative WORKDIR has an absolute one before it in the same file."),
    "UndefinedVar": Rule(description="A variable is defined before it is used."),
    "MultipleInstructionsDisallowed": Rule(
        description="A stage has one CMD, one ENTRYPOINT and one HEALTHCHECK; of several only the last counts."
    ),
    "LegacyKeyValueFormat": Rule(description="ENV and LABEL are written KEY=VALUE, not KEY VALUE."),
    "RedundantTargetPlatform": Rule(description="FROM does not ask for the platform that it has anyway."),
    "SecretsUsedInArgOrEnv": Rule(description="No secret is an ARG or ENV: both can be read in the image."),
    "InvalidDefaultArgInFrom": Rule(description="The defaults of ARGs give the name of an image where FROM uses them."),
    "FromPlatformFlagConstDisallowed": Rule(description="FROM names no fixed platform."),
    "CopyIgnoredFile": Rule(
        description="COPY and ADD name no file that .dockerignore leaves out.", is_experimental=True
    ),
    "InvalidDefinitionDescription": Rule(
        description="A comment right above an ARG or a named stage begins with its name, or a blank line follows it.",
        is_experimental=True,
    ),
    "ExposeProtoCasing": Rule(description="The protocol of EXPOSE is in lower case."),
    "ExposeInvalidFormat": Rule(description="EXPOSE names ports only: no address and no port of the host."),
}
