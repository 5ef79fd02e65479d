"""Settings of a service: options, variables and the file, and what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from api.cli.options import Setting
from api.config import Config, ConfigError
from tests.support.commands import Done, commands, jobtypes
from tests.support.server import free_port

# Settings


def named_host(done: Done) -> str:
    """The host that a refusal names: it tells which setting was taken."""
    return done.stderr.split()[1]


@pytest.fixture
def file(tmp_path, empty) -> Path:
    """A settings file."""
    path = tmp_path / "jobtypes.toml"
    path.write_text(f'repo = "{empty}"\nhost = "192.0.2.1"\n')
    return path


def test_an_option_is_stronger_than_a_variable_and_that_than_the_file(file):
    variable = {"JOBTYPES_HOST": "192.0.2.2"}

    assert named_host(jobtypes("--config", file, "serve")) == "192.0.2.1"
    assert named_host(jobtypes("--config", file, "serve", env=variable)) == "192.0.2.2"
    done = jobtypes("--config", file, "serve", "--host", "192.0.2.3", env=variable)
    assert named_host(done) == "192.0.2.3"
    assert named_host(jobtypes("serve", env={"JOBTYPES_CONFIG": str(file)})) == "192.0.2.1"


def test_the_file_can_be_named_after_the_command_too(file, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text('host = "192.0.2.4"\n')
    variable = {"JOBTYPES_HOST": "192.0.2.2"}
    file_variable = {"JOBTYPES_CONFIG": str(other)}

    assert named_host(jobtypes("serve", "--config", file)) == "192.0.2.1"
    assert named_host(jobtypes("serve", "--config", file, env=variable)) == "192.0.2.2"
    done = jobtypes("serve", "--host", "192.0.2.3", "--config", file, env=variable)
    assert named_host(done) == "192.0.2.3"
    assert named_host(jobtypes("--config", other, "serve", "--config", file)) == "192.0.2.1"
    assert named_host(jobtypes("serve", "--config", file, env=file_variable)) == "192.0.2.1"


@pytest.mark.parametrize(
    ("before", "after"), [(True, False), (False, True)], ids=["before", "after"]
)
def test_the_file_is_for_every_command(file, before, after):
    config = ("--config", file)
    listed = jobtypes(*config * before, "list", *config * after)
    changes = jobtypes(*config * before, "changes", "list", *config * after)

    assert (listed.returncode, listed.stdout) == (0, "ID  NAME  NEWEST  CLASS\n")
    assert (changes.returncode, changes.stdout.split()[0]) == (0, "BRANCH")


def test_commands_with_settings_take_the_file():
    for words, command in commands().items():
        names = [param.name for param in command.params]
        has_settings = any(isinstance(param, Setting) for param in command.params)

        assert names.count("config") == (has_settings or not words), words


def test_every_kind_of_setting_can_stand_in_the_file(file, serve):
    with file.open("a") as out:
        out.write(
            'branch = "main"\nread_only = true\nignore = ["agent-ascii"]\nlog_format = "json"\n'
        )
        out.write('access_log = false\nbody_limit_bytes = 2048\ncode_checks = "off"\n')
    port = free_port()
    command = [sys.executable, "-m", "api", "--config", str(file), "serve", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        # It says so at last, and ends its output if it ends.
        assert any("(refs/heads/main, 0 jobtypes)" in line for line in process.stdout)
    finally:
        process.terminate()
        process.wait(120)
        process.stdout.close()


BAD_FILES = {
    "an unknown setting": ('prot = 8080\nrepo = "."\n', "there is no setting prot"),
    "no TOML": ("port 8080\n", "can't be read"),
    "a table": ("[serve]\nport = 8080\n", "there is no setting serve"),
}


@pytest.mark.parametrize(("content", "says"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("command", ["serve", "list", "check"])
def test_a_bad_settings_file_is_an_error_of_every_command(tmp_path, command, content, says):
    path = tmp_path / "bad.toml"
    path.write_text(content)

    done = jobtypes("--config", path, command)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"jobtypes: {path}")
    assert says in done.stderr
    assert jobtypes(command, "--config", path) == done


def test_a_settings_file_that_is_not_there_is_an_error(tmp_path):
    done = jobtypes("--config", tmp_path / "none.toml", "list")

    assert done.returncode == 1
    assert "none.toml can't be read" in done.stderr


BAD_VALUES = {
    "an unknown option": (["--prot", "1"], {}, "No such option"),
    "a port that is a word": (["--port", "http"], {}, "--port"),
    "a port out of range": (["--port", "70000"], {}, "--port"),
    "no workers": (["--workers", "0"], {}, "--workers"),
    "a variable that is a word": ([], {"JOBTYPES_PORT": "http"}, "--port"),
    "an unknown format": (["--log-format", "xml"], {}, "--log-format"),
    "a time of months": (["--git-idle-s", "3000000"], {}, "--git-idle-s"),
    "a huge size": (["--push-limit-bytes", "9" * 30], {}, "--push-limit-bytes"),
    "a time without end": (["--mirror-wait-s", "inf"], {}, "--mirror-wait-s"),
    "a time that is no number": (["--mirror-wait-s", "nan"], {}, "nan is no number"),
    "a flag that is neither": ([], {"JOBTYPES_READ_ONLY": "perhaps"}, "--read-only"),
}


@pytest.mark.parametrize(("options", "env", "says"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_wrong_option_or_variable_exits_with_2_and_is_named(empty, options, env, says):
    done = jobtypes("serve", "--repo", empty, *options, env=env)

    assert done.returncode == 2
    assert says in done.stderr


WRONG_TYPES = {
    "port": ('"8080"', "an integer"),
    "workers": ("true", "an integer"),
    "threads": ("8.0", "an integer"),
    "read_only": ('"yes"', "true or false"),
    "insecure_writes": ("1", "true or false"),
    "branch": ("1", "a string"),
    "code_checks": ("[]", "a string"),
    "ignore": ('"agent-ascii"', "a list of strings"),
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_value_of_another_type_in_the_file_is_an_error(tmp_path, name):
    value, wanted = WRONG_TYPES[name]
    path = tmp_path / "bad.toml"
    path.write_text(f"{name} = {value}\n")

    done = jobtypes("--config", path, "serve")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}: {name} is " in done.stderr
    assert f"it must be {wanted}" in done.stderr


@pytest.mark.parametrize(
    "line", ["port = 0", "port = 70000", 'log_format = "xml"', "mirror_wait_s = nan"]
)
def test_a_value_out_of_range_in_the_file_exits_with_2(file, line):
    file.write_text(f"{file.read_text()}{line}\n")

    done = jobtypes("--config", file, "serve", "--host", "127.0.0.1")

    assert done.returncode == 2
    assert f"--{line.split()[0].replace('_', '-')}" in done.stderr


@pytest.mark.parametrize("name", ["branch", "host", "public_url", "upstream", "webhook_secret"])
def test_a_text_that_is_empty_is_refused(file, name):
    settings = [line for line in file.read_text().splitlines() if not line.startswith(name)]
    file.write_text("\n".join([*settings, f'{name} = " "']))

    done = jobtypes("--config", file, "serve")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"jobtypes: {name} is empty; give it a value, or leave it out\n"


@pytest.mark.parametrize("secret", ["schön", "two\nlines", "new\n", "\x7f"])
def test_a_secret_that_forges_may_send_differently_is_refused(tmp_path, secret):
    with pytest.raises(ConfigError, match="webhook_secret has other characters"):
        Config(tmp_path, webhook_secret=secret)


@pytest.mark.parametrize("threads", [4, 12, 1024])
@pytest.mark.parametrize("git_places", [1, 4, 100, 1000])
def test_clones_and_pushes_alone_make_no_worker_count_as_hanging(tmp_path, threads, git_places):
    config = Config(tmp_path, threads=threads, git_places=git_places)

    held = min(git_places, config.places)
    assert held < config.stuck_threads <= threads + config.waiting_threads
