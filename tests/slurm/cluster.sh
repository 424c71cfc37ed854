#!/usr/bin/env bash
# A Slurm of its own on this machine: a controller and two nodes as plain processes of the calling user, everything in
# one folder, no system service and no configuration outside of it.
#
#   cluster.sh available             says what is missing, status 1; nothing and 0 where the programs are installed
#   cluster.sh start DIR             makes DIR/slurm.conf; afterwards SLURM_CONF=DIR/slurm.conf sbatch …
#   cluster.sh stop DIR              ends the processes whose numbers DIR holds
#   cluster.sh node-down DIR NAME    ends one node's daemon, as a crash would
#   cluster.sh node-up DIR NAME
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

available() {
  local program
  for program in slurmctld slurmd sbatch squeue scontrol scancel; do
    command -v "$program" >/dev/null || { echo "$program is missing; apt-get install slurmctld slurmd slurm-client"; return 1; }
  done
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
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer_batch
ReturnToService=2
SlurmdTimeout=10
InactiveLimit=0
KillWait=5
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

end_process() { # FILE SIGNAL
  [ -f "$1" ] || return 0
  kill "-$2" "$(cat "$1")" 2>/dev/null || true
  local number; number=$(cat "$1")
  wait_until 10 sh -c "! kill -0 $number 2>/dev/null" || kill -KILL "$number" 2>/dev/null || true
  rm -f "$1"
}

stop() {
  local file
  SLURM_CONF=$1/slurm.conf timeout 5 scancel --state=RUNNING,PENDING --user="$(id -un)" 2>/dev/null || true
  for file in "$1"/node1.process "$1"/node2.process "$1"/controller.process; do end_process "$file" TERM; done
}

case "${1:-}" in
  available) available ;;
  start) start "$2" ;;
  stop) stop "$2" ;;
  node-down) end_process "$2/$3.process" KILL ;;
  node-up) start_node "$2" "$3" ;;
  *) sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2 ;;
esac
