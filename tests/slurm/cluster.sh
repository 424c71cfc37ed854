#!/usr/bin/env bash
# A Slurm of its own on this machine: a controller and two nodes as plain processes of the calling user, everything in
# one folder, no system service and no configuration outside of it.
#
#   cluster.sh available             says what is missing, status 1; nothing and 0 where it can be started
#   cluster.sh start DIR             makes DIR/slurm.conf; afterwards SLURM_CONF=DIR/slurm.conf sbatch …
#   cluster.sh stop DIR              ends the processes whose numbers DIR holds
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

available() {
  local program
  for program in slurmctld slurmd sbatch squeue scontrol scancel; do
    command -v "$program" >/dev/null || { echo "$program is missing; apt-get install slurmctld slurmd slurm-client"; return 1; }
  done
  id -un >/dev/null 2>&1 || { echo "the user $(id -u) has no name, which Slurm wants"; return 1; }
}

free_ports() { # COUNT
  python3 - "$1" <<'PYTHON'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))
PYTHON
}

write_configuration() { # DIR
  local user ports
  user=$(id -un)
  read -r -a ports < <(free_ports 3)
  cat >"$1/slurm.conf" <<CONF
ClusterName=atelier_test
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
SlurmctldPort=${ports[0]}
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=1
SlurmdTimeout=300
SlurmdParameters=config_overrides
InactiveLimit=0
KillWait=30
MinJobAge=300
OverTimeLimit=0
MaxArraySize=8
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool-%n
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd-%n.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd-%n.log
NodeName=node1 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=2 RealMemory=1000
NodeName=node2 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=2 RealMemory=1000
PartitionName=pocket Nodes=node1,node2 Default=YES MaxTime=60 State=UP
CONF
}

wait_until() { # SECONDS COMMAND…: until it succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

nodes_idle() { [ "$(sinfo -h -N -o '%t' | grep -c '^idle$')" = 2 ]; }

start_node() { slurmd -D -N "$2" -f "$1/slurm.conf" </dev/null >"$1/$2.out" 2>&1 & echo $! >"$1/$2.process"; }

start() {
  mkdir -p "$1/state" "$1/spool-node1" "$1/spool-node2"
  write_configuration "$1"
  export SLURM_CONF=$1/slurm.conf
  slurmctld -D -f "$1/slurm.conf" </dev/null >"$1/controller.out" 2>&1 &
  echo $! >"$1/controller.process"
  start_node "$1" node1
  start_node "$1" node2
  wait_until 30 nodes_idle 2>/dev/null || { tail -n 20 "$1"/*.log "$1"/*.out >&2; stop "$1"; return 1; }
}

ended() { ! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null; } # PROCESS; nobody may have asked for a zombie's status

stop() {
  local file processes=() process
  export SLURM_CONF=$1/slurm.conf
  if [ -n "$(timeout 5 squeue -h 2>/dev/null)" ]; then
    timeout 5 scancel --user="$(id -un)" 2>/dev/null || true
    wait_until 40 sh -c '[ -z "$(squeue -h)" ]' || true # longer than KillWait
  fi
  for file in "$1"/*.process; do [ ! -f "$file" ] || processes+=("$(cat "$file")"); done
  [ "${#processes[@]}" -gt 0 ] || return 0
  kill -TERM "${processes[@]}" 2>/dev/null || true
  for process in "${processes[@]}"; do wait_until 10 ended "$process" || kill -KILL "$process" 2>/dev/null || true; done
  rm -f "$1"/*.process
}

case "${1:-}" in
  available) available ;;
  start) start "$2" ;;
  stop) stop "$2" ;;
  *) sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2 ;;
esac
