"""Since which minor version the API server counts and refuses as it does.

Read in the sources of 1.20 to 1.37; features count from the version that turns them on by default.
"""

from __future__ import annotations

from typing import Final

OVERHEAD: Final = 21  # a quota counts the pod's overhead
BALANCER_PORTS: Final = 21  # load balancers without node ports are not charged for any
CROSS_NAMESPACE: Final = 22  # the scope CrossNamespacePodAffinity
NAMED: Final = 24  # "must specify" names the containers
OVERHEAD_OF_LIMITS: Final = 27  # overhead is added to limits that are there, and to no others
LIMIT_TOLD: Final = 27  # "must be less than or equal to memory limit of 1Gi"
ANY_CONTAINER: Final = 28  # a LimitRange sums what some container sets, not only what all do
SIDECARS: Final = 29  # restartable init containers add up
TERMINATING_CHANGE: Final = 33  # a pod that gets or loses a deadline moves between quotas
RESIZE: Final = 33  # pods may be resized in place, and are checked then
POD_LEVEL: Final = 34  # requests and limits of the pod itself
CLASS_OF_VOLUME: Final = 34  # the scope VolumeAttributesClass
EXISTS_WORDS: Final = 32  # "must be 'Exists' when scope is any of …"
