// Records kubelet-1.20.2.json: what the kubelet's own functions answer for given worlds.
//
// Put it into pkg/kubelet/eviction of Kubernetes 1.20.2 (the functions are private), then
//
//	WORLDS=worlds.json ANSWERS=answers.json GO111MODULE=off go test -run Record ./pkg/kubelet/eviction
//
// worlds.json is a list of {"signal", "memory" (bytes of the node), "pods"}; a pod is {"name",
// "priority", "spec", "use"} with "use" null for one without stats.
package eviction

import (
	"encoding/json"
	"io/ioutil"
	"os"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	v1qos "k8s.io/kubernetes/pkg/apis/core/v1/helper/qos"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/qos"
)

type given struct {
	Signal string `json:"signal"`
	Memory int64  `json:"memory"`
	Pods   []struct {
		Name     string     `json:"name"`
		Priority int32      `json:"priority"`
		Spec     v1.PodSpec `json:"spec"`
		Use      *uint64    `json:"use"`
	} `json:"pods"`
}

type answer struct {
	Order  []string           `json:"order"`
	Class  map[string]string  `json:"class"`
	Adjust map[string]int     `json:"adjust"`
	Group  map[string][]int64 `json:"group"` // shares, quota, bytes; -1: not set
}

func TestRecord(t *testing.T) {
	text, err := ioutil.ReadFile(os.Getenv("WORLDS"))
	if err != nil {
		t.Skip(err)
	}
	var worlds []given
	if err := json.Unmarshal(text, &worlds); err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for _, world := range worlds {
		answers = append(answers, asked(world))
	}
	text, _ = json.Marshal(answers)
	if err := ioutil.WriteFile(os.Getenv("ANSWERS"), text, 0644); err != nil {
		t.Fatal(err)
	}
}

func asked(world given) answer {
	found := answer{Class: map[string]string{}, Adjust: map[string]int{}, Group: map[string][]int64{}}
	stats := map[types.UID]statsapi.PodStats{}
	var pods []*v1.Pod
	for i := range world.Pods {
		one := world.Pods[i]
		one.Spec.Priority = &one.Priority
		meta := metav1.ObjectMeta{Name: one.Name, Namespace: "ns", UID: types.UID(one.Name)}
		pod := &v1.Pod{ObjectMeta: meta, Spec: one.Spec}
		pods = append(pods, pod)
		if one.Use != nil {
			stats[pod.UID] = measured(world.Signal, one.Use)
		}
		found.Class[one.Name] = string(v1qos.GetPodQOS(pod))
		for j := range pod.Spec.Containers {
			part := &pod.Spec.Containers[j]
			score := qos.GetContainerOOMScoreAdjust(pod, part, world.Memory)
			found.Adjust[one.Name+"/"+part.Name] = score
		}
		group, held := cm.ResourceConfigForPod(pod, true, 100000), []int64{-1, -1, -1}
		if group.CpuShares != nil {
			held[0] = int64(*group.CpuShares)
		}
		if group.CpuQuota != nil {
			held[1] = *group.CpuQuota
		}
		if group.Memory != nil {
			held[2] = *group.Memory
		}
		found.Group[one.Name] = held
	}
	ranks := buildSignalToRankFunc(false)
	rank := map[string]rankFunc{
		"memory": rankMemoryPressure,
		"pids":   rankPIDPressure,
		"disk":   ranks["nodefs.available"],
		"inodes": ranks["nodefs.inodesFree"],
	}[world.Signal]
	rank(pods, func(pod *v1.Pod) (statsapi.PodStats, bool) {
		one, known := stats[pod.UID]
		return one, known
	})
	for _, pod := range pods {
		found.Order = append(found.Order, pod.Name)
	}
	return found
}

func measured(signal string, use *uint64) statsapi.PodStats {
	disk := &statsapi.FsStats{}
	switch signal {
	case "memory":
		return statsapi.PodStats{Memory: &statsapi.MemoryStats{WorkingSetBytes: use}}
	case "pids":
		return statsapi.PodStats{ProcessStats: &statsapi.ProcessStats{ProcessCount: use}}
	case "disk":
		disk.UsedBytes = use
	default:
		disk.InodesUsed = use
	}
	return statsapi.PodStats{Containers: []statsapi.ContainerStats{{Name: "c", Rootfs: disk}}}
}
