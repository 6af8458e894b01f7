"""What goes into the wheels and the bundle, and what is made from the help of the commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from build_bundle import foreign
from build_share import COMPLETIONS, UNITS, main, man_pages
from bundle_packs import write_sums
from bundle_parts import debian_part, notice, python_part, sbom
from carrel.models.folders import model_folders, open_model
from carrel_cli.main import OWN_COMMANDS, cli
from check_bundle import LETTER, RESULTS, check_results
from small_debian import CheckError, SmallDebian, why_not_here

ROOT = Path(__file__).parents[1]


def test_the_second_wheel_brings_what_the_first_leaves_out() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    full = tomllib.loads((ROOT / "models/full/pyproject.toml").read_text("utf-8"))
    brought = full["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    excluded = {path for pattern in wheel["exclude"] for path in ROOT.glob(pattern)}
    assert {(ROOT / "models/full" / path).resolve() for path in brought} == excluded
    assert all(path == f"../{target}" for path, target in brought.items())


def test_models_of_the_first_wheel_are_whole(tmp_path: Path) -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    excluded = [pattern.rpartition("/")[2] for pattern in wheel["exclude"]]
    for folder in model_folders():
        copy = Path(shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns(*excluded)))
        assert open_model(copy).verify() == ()


def test_every_command_has_a_page_and_every_option_is_in_it() -> None:
    pages = dict(man_pages())
    assert pages.keys() == {"carrel.1", *(f"carrel-{name}.1" for name in OWN_COMMANDS)}
    assert r"\-\-language\-model" in pages["carrel-read.1"]
    for name in OWN_COMMANDS:
        assert name in pages["carrel.1"]


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_pages_are_roff_without_faults(tmp_path: Path) -> None:
    main(tmp_path)
    for page in sorted((tmp_path / "man" / "man1").iterdir()):
        command = ["groff", "-man", "-Tutf8", "-ww", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == "", page.name
        assert "SYNOPSIS" in re.sub(".\x08", "", done.stdout)  # bold: struck twice


def test_completions_are_those_of_the_command(tmp_path: Path) -> None:
    main(tmp_path)
    for name in COMPLETIONS:
        assert "_CARREL_COMPLETE" in (tmp_path / name).read_text("utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_units_are_understood_and_the_service_is_closed(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}

    def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["systemd-analyze", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    units: dict[str, Path] = {}
    for name, source in (("carrel-watch@daemon.service", "carrel-watch@.service"), ("carrel-desk.service", "user/carrel-desk.service")):  # fmt: skip
        units[name] = tmp_path / name
        text = (UNITS / source).read_text("utf-8")
        units[name].write_text(text.replace("/usr/bin/carrel", "/bin/true"), "utf-8")  # it may not be installed
    watch, desk = units.values()
    for arguments in (["verify", "--man=no", str(watch)], ["verify", "--user", "--man=no", str(desk)]):
        done = analyze(*arguments)
        assert "unit" not in done.stderr.lower() and "unknown" not in done.stderr.lower(), done.stderr
    told = analyze("security", "--offline=true", str(watch)).stdout
    exposure = re.search(r"exposure level for .*: ([0-9.]+)", told)
    assert exposure is not None and float(exposure[1]) <= 1.0, told


def test_commands_of_the_units_exist() -> None:
    for unit in UNITS.rglob("*.service"):
        (line,) = re.findall(r"^ExecStart=/usr/bin/carrel (.*)$", unit.read_text("utf-8"), re.MULTILINE)
        arguments = line.replace("--log-format json ", "").split()
        with click.Context(cli, info_name="carrel") as context:
            command = cli.get_command(context, arguments[0])
            assert command is not None
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in arguments[1:] if word.startswith("-")} <= known


def test_notice_and_parts_list_name_every_package_with_its_licence(tmp_path: Path) -> None:
    info = tmp_path / "site" / "some_part-1.2.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "licenses" / "LICENSE.txt").write_text("May be used.", "utf-8")
    (info / "METADATA").write_text("Name: some-part\nVersion: 1.2\nLicense-Expression: MIT\n", "utf-8")
    (tmp_path / "site" / "some_part.libs").mkdir()
    (tmp_path / "site" / "some_part.libs" / "libinner.so.3").touch()
    parts = [debian_part("zlib1g", "1:1.2", "arm64", "Zlib"), python_part(info)]
    text = notice(parts)
    assert "some-part 1.2: MIT" in text and "holds libinner.so.3" in text and "May be used." in text
    told = json.loads(json.dumps(sbom(parts)))
    assert told["bomFormat"] == "CycloneDX"
    assert [part["purl"] for part in told["components"]] == [
        "pkg:deb/debian/zlib1g@1:1.2?arch=arm64",
        "pkg:pypi/some-part@1.2",
    ]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_sums_are_signed_and_a_changed_one_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, pack = tmp_path / "key", tmp_path / "carrel.tar.zst"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    pack.write_bytes(b"a pack")
    monkeypatch.setenv("CARREL_SIGN_KEY", str(key))
    sums, signature = write_sums([pack], tmp_path)
    public = key.with_suffix(".pub").read_text("utf-8")
    (tmp_path / "signers").write_text(f"carrel {public}", "utf-8")
    verify = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "carrel", "-n", "carrel", "-s", str(signature)]

    def verified() -> bool:
        return subprocess.run(verify, cwd=tmp_path, input=sums.read_bytes(), capture_output=True, check=False).returncode == 0  # fmt: skip

    assert verified()
    assert (
        subprocess.run(["sha256sum", "-c", sums.name], cwd=tmp_path, capture_output=True, check=False).returncode == 0
    )
    sums.write_bytes(sums.read_bytes().replace(b"carrel.tar", b"barrel.tar"))
    assert not verified()


def test_sums_keep_the_packs_of_other_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARREL_SIGN_KEY", raising=False)
    packs = [tmp_path / name for name in ("carrel-x86_64.tar.zst", "carrel-aarch64.tar.zst")]
    for pack in packs:
        pack.write_bytes(pack.name.encode())
        write_sums([pack], tmp_path)
    (tmp_path / "gone").touch()
    write_sums([tmp_path / "gone"], tmp_path)
    (tmp_path / "gone").unlink()
    (sums,) = write_sums([packs[0]], tmp_path)
    assert [line.split()[1] for line in sums.read_text("utf-8").splitlines()] == sorted(pack.name for pack in packs)


def test_a_program_of_another_processor_is_found(tmp_path: Path) -> None:
    for name, machine in (("own.so", 62), ("foreign.so", 183)):
        (tmp_path / name).write_bytes(b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little"))
    assert list(foreign(tmp_path, "x86_64")) == [tmp_path / "foreign.so"]
    assert list(foreign(tmp_path, "aarch64")) == [tmp_path / "own.so"]


def test_the_trial_of_a_bundle_finds_what_is_wrong_with_its_results(tmp_path: Path) -> None:
    for name in RESULTS:
        (tmp_path / name).touch()
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "letter.alto.xml").write_text('<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"/>', "utf-8")
    shutil.copy(LETTER.with_suffix(".gt.txt"), tmp_path / "letter.txt")
    check_results(tmp_path)
    (tmp_path / "core").touch()
    with pytest.raises(CheckError, match="core"):
        check_results(tmp_path)
    (tmp_path / "core").unlink()
    (tmp_path / "letter.txt").write_text("Dear Mr. Alder,", "utf-8")
    with pytest.raises(CheckError, match="CER"):
        check_results(tmp_path)


@pytest.mark.skipif(why_not_here(["unshare", "chroot"]) != "", reason="needs root and namespaces")
def test_a_small_debian_has_proc_and_no_network() -> None:
    debian = SmallDebian(Path("/"))
    told = debian.run("cat", "/proc/net/dev")
    assert "lo:" in told and told.count(":") == 1
    with pytest.raises(CheckError, match="boom"):
        debian.run("sh", "-c", "echo boom >&2; exit 3")
