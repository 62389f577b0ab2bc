#!/bin/sh
# Joins this node to the cluster that /etc/lab/kubeadm.yaml names.
set -eu
kubeadm join --config /etc/lab/kubeadm.yaml
