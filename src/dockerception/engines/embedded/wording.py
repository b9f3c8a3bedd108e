"""The ``created_by`` texts of the image's history, as BuildKit words them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...dockerfile import instructions as ins
from ...dockerfile.text import write_json


def created_by(
    instruction: ins.Instruction, *, args: Mapping[str, str], arguments: Sequence[str], working_dir: str
) -> str:
    """The text for an expanded instruction; empty where it has no item in the history.

    ``args`` are the declared build arguments that a RUN sees, ``arguments`` the command line of RUN, CMD and
    ENTRYPOINT, ``working_dir`` the directory after the instruction.
    """
    match instruction:
        case ins.Run():
            seen = "".join(f" {name}={value}" for name, value in args.items())
            prefix = f"|{len(args)}{seen} " if args else ""
            return f"RUN {prefix}{' '.join(arguments)} # buildkit"
        case ins.Copy() | ins.Add():
            keyword = "COPY" if isinstance(instruction, ins.Copy) else "ADD"
            chown = f"--chown={instruction.chown} " if instruction.chown else ""
            chmod = f"--chmod={instruction.chmod} " if instruction.chmod else ""
            return f"{keyword} {chown}{chmod}{' '.join((*instruction.sources, instruction.destination))} # buildkit"
        case ins.Workdir():
            return f"WORKDIR {working_dir}"
        case ins.Env(pairs=pairs):
            return "ENV " + " ".join(f"{pair.name}={pair.value}" for pair in pairs)
        case ins.Label(pairs=pairs):
            return "LABEL " + " ".join(f"{pair.name}={pair.value}" for pair in pairs)
        case ins.Cmd() | ins.Entrypoint():
            keyword = "CMD" if isinstance(instruction, ins.Cmd) else "ENTRYPOINT"
            return f"{keyword} {write_json(arguments)}"
        case ins.Expose(ports=ports):
            return f"EXPOSE [{' '.join(ports)}]"
        case ins.Volume(paths=paths):
            return f"VOLUME [{' '.join(paths)}]"
        case ins.ShellInstruction(argv=argv):
            return f"SHELL [{' '.join(argv)}]"
        case ins.Stopsignal(signal=signal):
            return f"STOPSIGNAL {signal}"
        case ins.User(user=user):
            return f"USER {user}"
        case ins.Maintainer(name=name):
            return f"MAINTAINER {name}"
        case ins.Onbuild():
            return ""  # as BuildKit: a trigger leaves a trace in the child only
    return instruction.original
