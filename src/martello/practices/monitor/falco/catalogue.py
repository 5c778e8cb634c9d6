"""The fields that Falco knows, with their types.

From libs 48dfd53 (`sinsp_filtercheck_*.cpp`) and the plugins k8saudit, json and container 0b3cbd8.
A field's marks: `must` and `may` take an argument; `list` gives several values; `left` stands on
the left side only; `bare` takes no transformer; `print` is for output only.
"""

from __future__ import annotations

from typing import Final

# source, type, marks, names; `every` source has the first ones.
FIELDS: Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        "every",
        "u64",
        "",
        "evt.num evt.rawtime evt.rawtime.s evt.rawtime.ns evt.reltime evt.reltime.s "
        "evt.reltime.ns util.cnt",
    ),
    (
        "every",
        "text",
        "",
        "evt.time evt.time.s evt.time.iso8601 evt.datetime evt.datetime.s evt.pluginname "
        "evt.plugininfo evt.source evt.asynctype evt.hostname",
    ),
    (
        "every",
        "bool",
        "",
        "evt.is_async",
    ),
    (
        "syscall",
        "u64",
        "",
        "evt.latency evt.latency.s evt.latency.ns evt.deltatime evt.deltatime.s "
        "evt.deltatime.ns evt.buflen evt.wait_latency proc.cmdnargs proc.cmdlenargs "
        "proc.duration proc.ppid.duration proc.pid.ts proc.ppid.ts proc.exe_ino.ctime "
        "proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start "
        "proc.exe_ino.ctime_duration_pidns_start proc.pidns_init_start_ts proc.fdopencount "
        "proc.vmsize proc.vmrss proc.vmswap thread.pfmajor thread.pfminor thread.exectime "
        "thread.totexectime proc.nthreads proc.nchilds thread.vmsize thread.vmrss "
        "container.start_ts container.duration",
    ),
    (
        "syscall",
        "text",
        "",
        "evt.latency.human evt.dir evt.type syscall.type evt.category evt.args evt.info "
        "evt.res evt.io_dir fd.type fd.typechar fd.name fd.directory fd.filename fd.l4proto "
        "fd.sockfamily fd.uid fd.containername fd.containerdirectory fd.cproto fd.sproto "
        "fd.lproto fd.rproto fd.nameraw fdlist.nums fdlist.names fdlist.cips fdlist.sips "
        "fdlist.cports fdlist.sports fs.path.name fs.path.nameraw fs.path.source "
        "fs.path.sourceraw fs.path.target fs.path.targetraw group.name proc.exe proc.pexe "
        "proc.exepath proc.pexepath proc.name proc.pname proc.cmdline proc.pcmdline "
        "proc.exeline proc.cwd proc.sname proc.sid.exe proc.sid.exepath proc.vpgid.name "
        "proc.vpgid.exe proc.vpgid.exepath proc.pgid.name proc.pgid.exe proc.pgid.exepath "
        "thread.cap_permitted thread.cap_inheritable thread.cap_effective thread.cgroups "
        "proc.stdin.type proc.stdout.type proc.stderr.type proc.stdin.name proc.stdout.name "
        "proc.stderr.name user.name user.homedir user.shell user.loginname container.id "
        "container.full_id container.name container.image container.image.id container.type "
        "container.mounts container.image.repository container.image.tag "
        "container.image.digest container.healthcheck container.liveness_probe "
        "container.readiness_probe container.ip container.cni.json container.labels "
        "k8s.pod.name k8s.ns.name k8s.pod.id k8s.pod.uid k8s.pod.sandbox_id "
        "k8s.pod.full_sandbox_id k8s.pod.labels k8s.pod.ip k8s.pod.cni.json k8s.rc.name "
        "k8s.rc.id k8s.rc.labels k8s.svc.name k8s.svc.id k8s.svc.labels k8s.ns.id "
        "k8s.ns.labels k8s.rs.name k8s.rs.id k8s.rs.labels k8s.deployment.name "
        "k8s.deployment.id k8s.deployment.labels",
    ),
    (
        "syscall",
        "text",
        "print",
        "evt.outputtime",
    ),
    (
        "syscall",
        "u32",
        "must",
        "evt.type.is",
    ),
    (
        "syscall",
        "i16",
        "",
        "evt.cpu",
    ),
    (
        "syscall",
        "text",
        "must",
        "evt.arg evt.abspath thread.cgroup container.mount container.mount.source "
        "container.mount.dest container.mount.mode container.mount.rdwr "
        "container.mount.propagation container.label k8s.pod.label k8s.rc.label k8s.svc.label "
        "k8s.ns.label k8s.rs.label k8s.deployment.label",
    ),
    (
        "syscall",
        "any",
        "must left bare",
        "evt.rawarg",
    ),
    (
        "syscall",
        "bytes",
        "",
        "evt.buffer",
    ),
    (
        "syscall",
        "i64",
        "",
        "evt.rawres fd.num fd.ino proc.loginshellid proc.pid proc.ppid proc.vpid proc.pvpid "
        "proc.sid proc.vpgid proc.pgid proc.exe_ino proc.fdlimit thread.tid thread.vtid "
        "user.loginuid",
    ),
    (
        "syscall",
        "bool",
        "",
        "evt.failed evt.is_io evt.is_io_read evt.is_io_write evt.is_wait evt.is_syslog "
        "evt.is_open_read evt.is_open_write evt.is_open_exec evt.is_open_create fd.is_server "
        "fd.connected fd.name_changed fd.is_upper_layer fd.is_lower_layer "
        "proc.is_exe_writable proc.is_exe_upper_layer proc.is_exe_lower_layer "
        "proc.is_exe_from_memfd proc.is_sid_leader proc.is_vpgid_leader proc.is_pgid_leader "
        "thread.ismain container.privileged container.host_pid container.host_network "
        "container.host_ipc proc.is_container_healthcheck proc.is_container_liveness_probe "
        "proc.is_container_readiness_probe",
    ),
    (
        "syscall",
        "u32",
        "",
        "evt.count evt.count.error evt.count.error.file evt.count.error.net "
        "evt.count.error.memory evt.count.error.other evt.count.exit group.gid proc.tty "
        "user.uid",
    ),
    (
        "syscall",
        "ip",
        "left bare",
        "fd.ip",
    ),
    (
        "syscall",
        "ip",
        "",
        "fd.cip fd.sip fd.lip fd.rip",
    ),
    (
        "syscall",
        "port",
        "left bare",
        "fd.port fd.proto",
    ),
    (
        "syscall",
        "port",
        "",
        "fd.cport fd.sport fd.lport fd.rport",
    ),
    (
        "syscall",
        "net",
        "left bare",
        "fd.net fd.cnet fd.snet fd.lnet fd.rnet",
    ),
    (
        "syscall",
        "text",
        "left bare",
        "fd.cip.name fd.sip.name fd.lip.name fd.rip.name",
    ),
    (
        "syscall",
        "i32",
        "",
        "fd.dev fd.dev.major fd.dev.minor proc.fdusage thread.cpu thread.cpu.user "
        "thread.cpu.system",
    ),
    (
        "syscall",
        "text",
        "may left list",
        "fd.types",
    ),
    (
        "syscall",
        "text",
        "may left bare",
        "proc.aexe proc.aexepath proc.aname proc.acmdline proc.aenv",
    ),
    (
        "syscall",
        "text",
        "may",
        "proc.args proc.aargs proc.env",
    ),
    (
        "syscall",
        "i64",
        "may left bare",
        "proc.apid",
    ),
    (
        "syscall",
        "u64",
        "must left bare",
        "evt.around",
    ),
    (
        "syscall",
        "u64",
        "",
        "evt.latency.quantized evt.buflen.in evt.buflen.out evt.buflen.file "
        "evt.buflen.file.in evt.buflen.file.out evt.buflen.net evt.buflen.net.in "
        "evt.buflen.net.out thread.vmsize.b thread.vmrss.b",
    ),
    (
        "syscall",
        "u32",
        "",
        "evt.count.procinfo evt.count.threadinfo",
    ),
    (
        "syscall",
        "text",
        "",
        "evt.infra.docker.name evt.infra.docker.container.id evt.infra.docker.container.name "
        "evt.infra.docker.container.image thread.nametid",
    ),
    (
        "k8s_audit",
        "text",
        "",
        "ka.auditid ka.stage ka.auth.decision ka.auth.reason ka.auth.openshift.decision "
        "ka.auth.openshift.username ka.validations.admission.policy.failure "
        "ka.security.pod.violations ka.user.name ka.impuser.name ka.verb ka.uri "
        "ka.target.name ka.target.namespace ka.target.resource ka.target.subresource "
        "ka.target.pod.name ka.req.binding.role ka.req.configmap.name ka.req.configmap.obj "
        "ka.req.container.image ka.req.container.image.repository ka.req.pod.host_ipc "
        "ka.req.pod.host_network ka.req.container.host_network ka.req.pod.host_pid "
        "ka.req.container.privileged ka.req.pod.run_as_user ka.req.pod.run_as_group "
        "ka.req.pod.fs_group ka.req.service.type ka.resp.name ka.response.code "
        "ka.response.reason ka.useragent ka.cluster.name json.obj json.rawtime jevt.obj "
        "jevt.rawtime",
    ),
    (
        "k8s_audit",
        "text",
        "must",
        "ka.uri.param ka.req.binding.subject.has_name ka.req.volume.hostpath json.value jevt.value",
    ),
    (
        "k8s_audit",
        "text",
        "list",
        "ka.user.groups ka.req.binding.subjects ka.req.binding.subjects.user_names "
        "ka.req.binding.subjects.serviceaccount_names "
        "ka.req.binding.subjects.serviceaccount_ns_names ka.req.binding.subjects.group_names "
        "ka.req.role.rules ka.req.pod.supplemental_groups",
    ),
    (
        "k8s_audit",
        "text",
        "may list",
        "ka.req.pod.containers.args ka.req.pod.containers.command ka.req.pod.containers.name "
        "ka.req.pod.containers.image ka.req.pod.containers.image.repository "
        "ka.req.pod.containers.privileged ka.req.pod.containers.allow_privilege_escalation "
        "ka.req.pod.containers.read_only_fs ka.req.pod.containers.run_as_user "
        "ka.req.pod.containers.eff_run_as_user ka.req.pod.containers.run_as_group "
        "ka.req.pod.containers.eff_run_as_group ka.req.pod.containers.proc_mount "
        "ka.req.pod.containers.add_capabilities ka.req.pod.containers.host_port "
        "ka.req.pod.initContainers.args ka.req.pod.initContainers.command "
        "ka.req.pod.initContainers.name ka.req.pod.initContainers.image "
        "ka.req.pod.initContainers.image.repository ka.req.pod.initContainers.privileged "
        "ka.req.pod.initContainers.allow_privilege_escalation "
        "ka.req.pod.initContainers.read_only_fs ka.req.pod.initContainers.run_as_user "
        "ka.req.pod.initContainers.eff_run_as_user ka.req.pod.initContainers.run_as_group "
        "ka.req.pod.initContainers.eff_run_as_group ka.req.pod.initContainers.proc_mount "
        "ka.req.pod.initContainers.add_capabilities ka.req.pod.initContainers.host_port "
        "ka.req.pod.ephemeralContainers.args ka.req.pod.ephemeralContainers.command "
        "ka.req.pod.ephemeralContainers.name ka.req.pod.ephemeralContainers.image "
        "ka.req.pod.ephemeralContainers.image.repository "
        "ka.req.pod.ephemeralContainers.privileged "
        "ka.req.pod.ephemeralContainers.allow_privilege_escalation "
        "ka.req.pod.ephemeralContainers.read_only_fs "
        "ka.req.pod.ephemeralContainers.run_as_user "
        "ka.req.pod.ephemeralContainers.eff_run_as_user "
        "ka.req.pod.ephemeralContainers.run_as_group "
        "ka.req.pod.ephemeralContainers.eff_run_as_group "
        "ka.req.pod.ephemeralContainers.proc_mount "
        "ka.req.pod.ephemeralContainers.add_capabilities ka.req.role.rules.apiGroups "
        "ka.req.role.rules.nonResourceURLs ka.req.role.rules.verbs "
        "ka.req.role.rules.resources ka.req.service.ports ka.req.pod.volumes.hostpath "
        "ka.req.pod.volumes.flexvolume_driver ka.req.pod.volumes.volume_type ka.sourceips",
    ),
)
