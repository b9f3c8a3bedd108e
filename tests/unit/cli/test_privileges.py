"""What ``--secret``, ``--ssh`` and ``--allow`` say, and what is wrong with them: never the value of a secret."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dockerception.cli.privileges import secret, ssh
from dockerception.context.compose import empty
from dockerception.engines import secrets
from dockerception.engines.base import Secret, SshAgent
from dockerception.engines.daemon import buildkit_call
from dockerception.engines.daemon.building import BuildOrder
from dockerception.errors import UsageError
from dockerception.reference import Platform


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with files, an agent's socket, and two variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("file", "a,b", "key", "both"):
        Path(name).write_text("value")
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind("agent")
    monkeypatch.setenv("VARIABLE", "value")
    monkeypatch.setenv("both", "value")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.mark.parametrize(
    ("text", "file", "env"),
    [
        ("id=i,src=file", "file", ""),
        ("id=i,source=file", "file", ""),
        ("type=file,id=i,src=file", "file", ""),
        ("ID=i, SRC=file", "file", ""),
        ("id=i,env=VARIABLE", "", "VARIABLE"),
        ("type=env,id=i,env=VARIABLE", "", "VARIABLE"),
        ("type=env,id=i,src=VARIABLE", "", "VARIABLE"),
        ("id=VARIABLE", "", "VARIABLE"),
        ("type=env,id=VARIABLE", "", "VARIABLE"),
        ("id=file", "file", ""),
        ("id=both", "", "both"),
        ("type=file,id=both", "both", ""),
        ('id=i,"src=a,b"', "a,b", ""),
    ],
)
def test_secrets(tmp_path: Path, text: str, file: str, env: str) -> None:
    found = secret(text)
    assert (found.file, found.env) == (str(tmp_path / file) if file else "", env)
    assert secrets.read(found) == b"value"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "field that is none"),
        ("value", "field that is none"),
        ("id=i,value", "field that is none"),
        ("id=i,value=x", "field that is none"),
        ("src=file", "has no id"),
        ("id=i,type=other,src=file", "“i” has the type “other”"),
        ("id=i,src=file,env=VARIABLE", "“i” is both a file and a variable"),
        ("id=i", "file .*/i of the secret “i” can't be read: No such file"),
        ("id=i,src=.", "Is a directory"),
        ("id=i,env=UNSET", "variable UNSET, which is not set"),
        ('id=i,"src=file', "comma-separated"),
    ],
)
def test_wrong_secrets(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        secret(text)
    assert "value" not in str(caught.value).replace("comma-separated values", "")
    assert "id=i" not in caught.value.message


def test_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, key = str(tmp_path / "agent"), str(tmp_path / "key")
    assert ssh("default=agent") == SshAgent(id="default", socket=agent)
    assert ssh("x=key,file") == SshAgent(id="x", keys=(key, str(tmp_path / "file")))
    for text, message in (
        ("default", "SSH_AUTH_SOCK, which is not set"),
        ("=key", "names no ssh agent"),
        ("x=none", "none of --ssh can't be used"),
        ("x=agent,key", "a socket and more"),
    ):
        with pytest.raises(UsageError, match=message):
            ssh(text)
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    assert ssh("default") == SshAgent(id="default", socket=agent)
    assert secrets.socket_of(SshAgent(id="default")) == agent


def test_what_buildkit_is_told() -> None:
    order = BuildOrder(
        dockerfile=b"",
        context=empty(),
        platform=Platform.host(),
        secrets=(Secret(id="f", file="/a,b"), Secret(id="e", env="E")),
        ssh=(SshAgent(id="default"), SshAgent(id="s", socket="/s"), SshAgent(id="k", keys=("/k", "/l"))),
        allow=frozenset({"security.insecure", "network.host"}),
    )
    assert list(buildkit_call.options(order))[1:] == [
        '--secret=id=f,type=file,"src=/a,b"',
        "--secret=id=e,type=env,env=E",
        "--ssh=default",
        "--ssh=s=/s",
        "--ssh=k=/k,/l",
        "--allow=network.host",
        "--allow=security.insecure",
    ]
