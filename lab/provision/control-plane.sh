#!/bin/sh
# Makes this node the control plane. What kubeadm and Calico need to know was put
# into /etc/lab before: kubeadm.yaml, patches/, calico.yaml, calico-patch.json.
set -eu
export KUBECONFIG=/etc/kubernetes/admin.conf
kubeadm init --config /etc/lab/kubeadm.yaml --skip-token-print
kubectl apply --server-side -f /etc/lab/calico.yaml
kubectl -n kube-system patch deployment calico-kube-controllers --patch-file /etc/lab/calico-patch.json
