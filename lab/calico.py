"""Calico's manifest for this cluster: upstream's own, adapted by a kustomization."""

import shutil
import string
import tempfile
from pathlib import Path

import yaml

from lab import shell
from lab.errors import LabError
from lab.image.steps import PROVISION, module_folder
from lab.spec import Spec


def manifest(spec: Spec, kubectl: Path) -> str:
    """Upstream's calico.yaml, out of the Go module, with lab/provision/calico applied.

    Args:
        kubectl: A kubectl that runs on this host; it has kustomize built in.

    Raises:
        LabError: The kustomization does not fit upstream's manifest.
    """
    upstream = module_folder("calico", "github.com/projectcalico/calico") / "manifests/calico.yaml"
    networks = spec.networks
    values = {
        "API_SERVER": spec.control_plane.address,
        "BLOCK_SIZE": str(networks.block_size),
        "NODE_NETWORK": networks.nodes,
        "POD_NETWORK": networks.pods,
    }
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(upstream, Path(folder) / "calico.yaml")
        for name in ("kustomization.yaml", "endpoint.yaml"):
            text = string.Template((PROVISION / "calico" / name).read_text())
            (Path(folder) / name).write_text(text.safe_substitute(values))
        adapted = shell.run([kubectl, "kustomize", folder], what="adapting Calico's manifest")
    kinds = {document["kind"] for document in yaml.safe_load_all(adapted) if document}
    if not {"DaemonSet", "Deployment", "CustomResourceDefinition"} <= kinds:
        raise LabError(
            "Calico's manifest lost its DaemonSet, its Deployment or its CRDs",
            hint="see lab/provision/calico/kustomization.yaml",
        )
    return adapted
