"""The kinds of Kubernetes objects under their plural names, whatever name a command line gives them."""

from collections.abc import Iterable

# Short names and irregular plurals, as `kubectl api-resources` lists them.
_PLURALS = {
    "cj": "cronjobs",
    "cm": "configmaps",
    "configmap": "configmaps",
    "crd": "customresourcedefinitions",
    "csr": "certificatesigningrequests",
    "deploy": "deployments",
    "ds": "daemonsets",
    "endpoints": "endpoints",
    "ep": "endpoints",
    "ev": "events",
    "ing": "ingresses",
    "ingress": "ingresses",
    "netpol": "networkpolicies",
    "networkpolicy": "networkpolicies",
    "no": "nodes",
    "ns": "namespaces",
    "pc": "priorityclasses",
    "pdb": "poddisruptionbudgets",
    "po": "pods",
    "pv": "persistentvolumes",
    "pvc": "persistentvolumeclaims",
    "rc": "replicationcontrollers",
    "rs": "replicasets",
    "sa": "serviceaccounts",
    "sc": "storageclasses",
    "storageclass": "storageclasses",
    "sts": "statefulsets",
    "svc": "services",
}
_NAMES_MAX = 64


def read_resources(words: Iterable[str]) -> tuple[str, ...]:
    """
    Read the kinds of ``kubectl get``: ``po,secrets``, ``secret/NAME``, ``secrets.v1.``, ``deploy NAME``.

    Returns:
        Plural names in lower case, each once.
    """
    found: dict[str, None] = {}
    for index, word in enumerate(words):
        if index == _NAMES_MAX or (index and "/" not in word):
            break
        for name in word.split(",")[:_NAMES_MAX]:
            kind = name.partition("/")[0].partition(".")[0].lower()[:64]
            if kind:
                found[_PLURALS.get(kind) or (kind if kind.endswith("s") else kind + "s")] = None
    return tuple(found)
