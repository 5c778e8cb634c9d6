"""The kinds that are read from a live cluster, and what becomes of a kind that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec


class Kind(msgspec.Struct, frozen=True, order=True):
    """One kind of the API. `required`: every supported API server (1.20 and later) serves it."""

    group: str
    name: str
    resource: str
    namespaced: bool
    required: bool = False
    # Who may list Secrets may read every one of them, so the reader role leaves them out. Where
    # they may be listed, only their metadata are asked for.
    metadata_only: bool = False
    page: int = 500  # objects asked for at once: less where single objects may be large

    @property
    def group_kind(self) -> str:
        """`Kind.group`, just `Kind` in the core group."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def group_resource(self) -> str:
        """kubectl's `resource.group`, just `resource` in the core group."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


# A group, then `Kind resource` pairs. Served by every API server from 1.20 on.
_NAMESPACED: Final = {
    "": "Pod pods, Service services, ServiceAccount serviceaccounts, ConfigMap configmaps, "
    "ReplicationController replicationcontrollers, PodTemplate podtemplates, "
    "PersistentVolumeClaim persistentvolumeclaims, ResourceQuota resourcequotas, "
    "LimitRange limitranges",
    "apps": "Deployment deployments, StatefulSet statefulsets, DaemonSet daemonsets, "
    "ReplicaSet replicasets",
    "batch": "Job jobs, CronJob cronjobs",
    "autoscaling": "HorizontalPodAutoscaler horizontalpodautoscalers",
    "policy": "PodDisruptionBudget poddisruptionbudgets",
    "networking.k8s.io": "NetworkPolicy networkpolicies, Ingress ingresses",
    "rbac.authorization.k8s.io": "Role roles, RoleBinding rolebindings",
}
_CLUSTER: Final = {
    "": "Namespace namespaces, Node nodes, PersistentVolume persistentvolumes",
    "networking.k8s.io": "IngressClass ingressclasses",
    "rbac.authorization.k8s.io": "ClusterRole clusterroles, ClusterRoleBinding clusterrolebindings",
    "admissionregistration.k8s.io": "ValidatingWebhookConfiguration "
    "validatingwebhookconfigurations, "
    "MutatingWebhookConfiguration mutatingwebhookconfigurations",
    "apiextensions.k8s.io": "CustomResourceDefinition customresourcedefinitions",
    "apiregistration.k8s.io": "APIService apiservices",
    "certificates.k8s.io": "CertificateSigningRequest certificatesigningrequests",
    "node.k8s.io": "RuntimeClass runtimeclasses",
    "scheduling.k8s.io": "PriorityClass priorityclasses",
    "storage.k8s.io": "StorageClass storageclasses, CSIDriver csidrivers",
}
# Served by some: younger or older API servers, and what custom resources add.
_NAMESPACED_WHERE_SERVED: Final = {
    "gateway.networking.k8s.io": "Gateway gateways, HTTPRoute httproutes, GRPCRoute grpcroutes, "
    "TLSRoute tlsroutes, TCPRoute tcproutes, UDPRoute udproutes, "
    "ReferenceGrant referencegrants",
    "cilium.io": "CiliumNetworkPolicy ciliumnetworkpolicies",
    "crd.projectcalico.org": "NetworkPolicy networkpolicies",
    "projectcalico.org": "NetworkPolicy networkpolicies",
    "argoproj.io": "Rollout rollouts",
    "apps.kruise.io": "CloneSet clonesets, StatefulSet statefulsets, DaemonSet daemonsets",
    "serving.knative.dev": "Service services, Configuration configurations, Revision revisions",
    "apps.openshift.io": "DeploymentConfig deploymentconfigs",
    "route.openshift.io": "Route routes",
    "monitoring.coreos.com": "ServiceMonitor servicemonitors, PodMonitor podmonitors",
    "policies.kyverno.io": "NamespacedValidatingPolicy namespacedvalidatingpolicies",
    "kyverno.io": "Policy policies, PolicyException policyexceptions",
}
_CLUSTER_WHERE_SERVED: Final = {
    "admissionregistration.k8s.io": "ValidatingAdmissionPolicy validatingadmissionpolicies, "
    "ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings, "
    "MutatingAdmissionPolicy mutatingadmissionpolicies, "
    "MutatingAdmissionPolicyBinding mutatingadmissionpolicybindings",
    "policy": "PodSecurityPolicy podsecuritypolicies",
    "policy.networking.k8s.io": "AdminNetworkPolicy adminnetworkpolicies, "
    "BaselineAdminNetworkPolicy baselineadminnetworkpolicies, "
    "ClusterNetworkPolicy clusternetworkpolicies",
    "gateway.networking.k8s.io": "GatewayClass gatewayclasses",
    "cilium.io": "CiliumClusterwideNetworkPolicy ciliumclusterwidenetworkpolicies",
    "crd.projectcalico.org": "GlobalNetworkPolicy globalnetworkpolicies",
    "projectcalico.org": "GlobalNetworkPolicy globalnetworkpolicies",
    "security.openshift.io": "SecurityContextConstraints securitycontextconstraints",
    "policies.kyverno.io": "ValidatingPolicy validatingpolicies",
    "kyverno.io": "ClusterPolicy clusterpolicies",
    "templates.gatekeeper.sh": "ConstraintTemplate constrainttemplates",
}
# Groups of which every served kind is read: their kinds are made by templates in the cluster.
WHOLE_GROUPS: Final = ("constraints.gatekeeper.sh",)

_PAGES: Final = {
    "ConfigMap": 100,
    "CustomResourceDefinition": 20,
    "Node": 200,
    "ConstraintTemplate": 50,
}


def _rows(table: dict[str, str], *, namespaced: bool, required: bool) -> Iterator[Kind]:
    for group, row in table.items():
        for pair in row.split(", "):
            name, resource = pair.split()
            yield Kind(group, name, resource, namespaced, required, page=_PAGES.get(name, 500))


SECRETS: Final = Kind("", "Secret", "secrets", True, required=False, metadata_only=True)
KINDS: Final = (
    *_rows(_NAMESPACED, namespaced=True, required=True),
    *_rows(_CLUSTER, namespaced=False, required=True),
    SECRETS,
    *_rows(_NAMESPACED_WHERE_SERVED, namespaced=True, required=False),
    *_rows(_CLUSTER_WHERE_SERVED, namespaced=False, required=False),
)
REQUIRED: Final = tuple(kind for kind in KINDS if kind.required)
