"""The lab: a real Kubernetes cluster of three nodes, the handle that snippets question it with, and a sandbox."""

from lab.cluster import cluster
from lab.errors import LabError
from lab.sandbox import sandbox

__all__ = ["LabError", "cluster", "sandbox"]
