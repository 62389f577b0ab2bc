"""The lab: a real Kubernetes cluster of three nodes, and the handle that snippets question it with."""

from lab.cluster import cluster
from lab.errors import LabError

__all__ = ["LabError", "cluster"]
