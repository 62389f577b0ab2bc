"""What the installed Vagrant and its plugin really say of a failure is told with its meaning and the next command."""

import json
import subprocess
from pathlib import Path

import pytest
from real_vagrant import vagrant

from lab.vagrant import tool

SAY = """\
require "json"
class Say < Vagrant.plugin("2", :command)
  def execute
    box = {name: "living-book-0", url: "file:///nowhere", error: "none", provider: "libvirt", providers: "libvirt"}
    errors = {
      not_detected: Vagrant::Errors::VirtualBoxNotDetected.new,
      no_program: Vagrant::Errors::VBoxManageNotFoundError.new,
      incomplete: Vagrant::Errors::VirtualBoxInstallIncomplete.new,
      no_module: Vagrant::Errors::VirtualBoxKernelModuleNotLoaded.new,
      subnet: Vagrant::Errors::VirtualBoxInvalidHostSubnet.new(address: "10.0.0.1", ranges: "192.168.56.0/21"),
      no_provider: Vagrant::Errors::NoDefaultProvider.new,
      no_plugin: Vagrant::Errors::ProviderNotFound.new(provider: "libvirt", machine: "node01", providers: "docker"),
      no_box: Vagrant::Errors::BoxAddShortNotFound.new(box),
      unknown_box: Vagrant::Errors::BoxNotFound.new(box),
      boot: Vagrant::Errors::VMBootTimeout.new,
      key: Vagrant::Errors::SSHAuthenticationFailed.new,
    }
    told = errors.transform_values(&:message)
    require "fog/core"
    require "vagrant-libvirt/errors"
    errors = VagrantPlugins::ProviderLibvirt::Errors
    told[:connection] = errors::FogLibvirtConnectionError.new(error_message: "no such file").message
    told[:taken] = errors::DomainNameExists.new(domain_name: "book-node01").message
    begin
      Fog.wait_for(0.1, 0.05) { false }
    rescue Fog::Errors::TimeoutError => error
      told[:no_address] = error.message
    end
    puts JSON.generate(told)
    0
  end
end
class Saying < Vagrant.plugin("2")
  name "say"
  command("say") { Say }
end
"""

MEANS = {
    "not_detected": "VirtualBox is not installed", "no_program": "VirtualBox is not installed",
    "incomplete": "VirtualBox is not installed", "no_module": "VirtualBox is not installed",
    "subnet": "VirtualBox refuses the nodes' private network", "no_provider": "finds no provider",
    "no_plugin": "its plugin is missing", "no_box": "there is no box", "unknown_box": "there is no box",
    "boot": "did not become reachable", "key": "refuses Vagrant's ssh key",
    "connection": "libvirt does not answer", "taken": "made by another project", "no_address": "has no address",
}  # fmt: skip
"""What each of Vagrant's failures means, by its name here."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sentences, by the name here."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "Vagrantfile").write_text(SAY)
    done: subprocess.CompletedProcess[str] = vagrant("say", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", MEANS)
def test_vagrants_own_sentence_is_understood(said: dict[str, str], name: str) -> None:
    error = tool.explain(said[name], "vagrant up", Path("log"))
    assert MEANS[name] in error.summary, said[name]
    assert error.hint


def test_every_sentence_was_asked_for(said: dict[str, str]) -> None:
    assert said.keys() == MEANS.keys()
