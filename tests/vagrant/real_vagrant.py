"""The installed Vagrant, with a home and a state of its own, and what it reads in our Vagrantfile."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lab.paths import ROOT
from lab.vagrant import tool

TELL = """\
require "json"
load ENV.fetch("WANTED")
class Tell < Vagrant.plugin("2", :command)
  def execute
    provider = ENV.fetch("VAGRANT_DEFAULT_PROVIDER").to_sym
    puts JSON.generate(@env.machine_names.to_h { |name| [name, told(name, provider)] })
    0
  end

  def told(name, provider)
    vm = @env.machine(name, provider).config.vm
    settings = vm.get_provider_config(provider)
    scripts = vm.provisioners.map do |step|
      [step.name, step.type == :shell ? step.config.path : step.config.source, step.run]
    end
    folders = vm.synced_folders.reject { |_, folder| folder[:disabled] }.keys
    {box: vm.box, url: vm.box_url, networks: vm.networks, scripts: scripts, folders: folders,
     pool: provider == :libvirt ? settings.storage_pool_name : nil,
     memory: settings.memory, cpus: settings.cpus, primary: @env.primary_machine_name == name}
  end
end
class Telling < Vagrant.plugin("2")
  name "tell"
  command("tell") { Tell }
end
"""


def vagrant(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "VAGRANT_HOME": str(cwd / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1",
        "VAGRANT_DOTFILE_PATH": str(cwd / "machines"), "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        "LAB_STATE": str(cwd / "state"), **env,
    }  # fmt: skip
    tool.take_plugins(cwd / "home")
    return subprocess.run(["vagrant", *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def told(cwd: Path, *, wanted: Path = ROOT / "Vagrantfile", **env: str) -> dict[str, Any]:
    """What Vagrant read, by the name of the machine."""
    (cwd / "Vagrantfile").write_text(TELL)
    done = vagrant("tell", cwd=cwd, WANTED=str(wanted), **env)
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
