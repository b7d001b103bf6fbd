#!/bin/sh
# Six subjects as Slurm jobs on this one machine, by a plain array and by Snakemake, checked against a
# plain run: one fails at first and is retried, one is killed while it works, and the group's tables
# come out the same.
#
#   apt-get install -y slurm-wlm munge          # Debian; as root, no systemd needed
#   pip install snakemake snakemake-executor-plugin-slurm
#   workflow/test-slurm.sh path/to/deepmir
#
# Starts munge, slurmctld and slurmd of its own under a temporary folder, and ends them. KEEP=1 keeps
# the folder; DATA=folder takes six heads made before instead of making some.
set -eu
DEEPMIR=$(realpath "${1:?give the deepmir program}")
HERE=$(cd "$(dirname "$0")" && pwd)
WORK=$(mktemp -d)
MADE=${DATA:-}
DATA=$WORK/data
MODEL=${MODEL:-default}
export DEEPMIR

PIDS=""
LINKED=""
unset SLURM_CONF
finish() {
    # Jobs outlive the daemons.
    [ -z "${SLURM_CONF:-}" ] || scancel --user="$(id -un)" 2>/dev/null || true
    sleep 1
    for pid in $PIDS; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    [ -z "$LINKED" ] || rm -f "$LINKED"
    [ -n "${KEEP:-}" ] || rm -rf "$WORK"
}
trap finish EXIT INT TERM

echo "== a dataset of six small heads"
if [ -n "$MADE" ]; then
    cp -r "$MADE" "$DATA"
else
    cat > "$WORK/coarse.toml" <<'TOML'
[phantom.scan]
voxel_mm = [3.0, 3.0, 3.0]
matrix = [64, 76, 60]
echo_times_s = [0.006, 0.012]
fine_voxel_mm = 1.5
TOML
    "$DEEPMIR" phantom "$DATA" -n 6 --seed 5 --config "$WORK/coarse.toml" -q
fi

echo "== alone"
"$DEEPMIR" run "$DATA" "$WORK/alone" participant --model "$MODEL" -q
"$DEEPMIR" run "$DATA" "$WORK/alone" group

echo "== a cluster of one node"
mkdir -p "$WORK/slurm/state" "$WORK/slurm/spool" "$WORK/munge"
chmod 755 "$WORK"
dd if=/dev/urandom of="$WORK/munge/key" bs=1024 count=1 2>/dev/null
chmod 400 "$WORK/munge/key"
chmod 700 "$WORK/munge"
munged --foreground --force --socket="$WORK/munge.socket" --key-file="$WORK/munge/key" \
    --pid-file="$WORK/munge/pid" --seed-file="$WORK/munge/seed" --log-file="$WORK/munge/log" 2>/dev/null &
PIDS="$PIDS $!"
NODE=$(hostname -s)
cat > "$WORK/slurm/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$NODE(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$WORK/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=1
StateSaveLocation=$WORK/slurm/state
SlurmdSpoolDir=$WORK/slurm/spool
SlurmctldPidFile=$WORK/slurm/slurmctld.pid
SlurmdPidFile=$WORK/slurm/slurmd.pid
SlurmctldLogFile=$WORK/slurm/slurmctld.log
SlurmdLogFile=$WORK/slurm/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ReturnToService=2
KillWait=5
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo) State=UNKNOWN
PartitionName=main Nodes=$NODE Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$WORK/slurm/slurm.conf"
# Snakemake's plugin hands no SLURM_ variable on to its jobs, whose srun then looks here.
if [ -e /etc/slurm/slurm.conf ]; then
    echo "this machine has a Slurm of its own (/etc/slurm/slurm.conf): Snakemake is left out"
else
    mkdir -p /etc/slurm
    rm -f /etc/slurm/slurm.conf
    ln -s "$SLURM_CONF" /etc/slurm/slurm.conf
    LINKED=/etc/slurm/slurm.conf
fi
sleep 1
slurmctld -D -i >/dev/null 2>&1 &
PIDS="$PIDS $!"
slurmd -D >/dev/null 2>&1 &
PIDS="$PIDS $!"
for _ in $(seq 60); do
    sinfo -h -o %T 2>/dev/null | grep -q idle && break
    sleep 1
done
sinfo || { tail "$WORK"/slurm/*.log; exit 1; }

echo "== sbatch array: sub-02 is damaged at first, sub-03 is killed while it works"
IMAGE=$DATA/sub-02/anat/sub-02_Chimap.nii.gz
mv "$IMAGE" "$WORK/whole.nii.gz"
head -c 2000 "$WORK/whole.nii.gz" > "$IMAGE"
cd "$WORK"
send() {
    sbatch --parsable --wait --array="$1" --cpus-per-task=1 --mem=1G "$HERE/array.sbatch" \
        "$DATA" "$WORK/array" --model "$MODEL" || true
}
# kill_sub_03 OUT: as soon as sub-03 is at work, its process is killed, once.
kill_sub_03() {
    for _ in $(seq 6000); do
        PID=$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$1/status/sub-03.lock" 2>/dev/null) || true
        if [ -n "$PID" ] && kill -9 "$PID"; then
            echo "killed $PID (sub-03)"
            return
        fi
        sleep 0.05
    done
    echo "sub-03 was never seen at work"
    return 1
}
kill_sub_03 "$WORK/array" &
KILLER=$!
send 1-6
wait "$KILLER"
echo "after the first array: $(ls "$WORK/array/status" | grep -c 'json$') status files"
grep -q '"state": "failed"' "$WORK/array/status/sub-02.json"
[ ! -e "$WORK/array/status/sub-03.json" ]
mv "$WORK/whole.nii.gz" "$IMAGE"
echo "again, three subjects a task"
export PER_TASK=3
send 1-2
"$DEEPMIR" run "$DATA" "$WORK/array" group

compare() {
    for table in subjects lesions timeline; do
        cmp "$WORK/alone/group/$table.tsv" "$1/group/$table.tsv"
    done
    echo "tables of $1 are those of the plain run"
}
compare "$WORK/array"

if [ -n "$LINKED" ] && command -v snakemake >/dev/null; then
    echo "== Snakemake on the cluster: sub-02 fails its first try, sub-03 is killed; both are retried"
    cat > "$WORK/flaky" <<FLAKY
#!/bin/sh
case "\$*" in *"--participant-label 02"*)
    if [ ! -e "$WORK/failed-once" ]; then touch "$WORK/failed-once"; echo "failing once"; exit 3; fi ;;
esac
exec "$DEEPMIR" "\$@"
FLAKY
    chmod +x "$WORK/flaky"
    kill_sub_03 "$WORK/snake" &
    KILLER=$!
    PIDS="$PIDS $KILLER"
    snakemake --snakefile "$HERE/Snakefile" --directory "$WORK" --executor slurm --jobs 2 \
        --slurm-no-account --slurm-status-command squeue --default-resources slurm_partition=main \
        --latency-wait 20 --quiet \
        --config bids="$DATA" out="$WORK/snake" deepmir="$WORK/flaky" mem_mb=1000 \
        options="--model $MODEL"
    wait "$KILLER"
    [ -e "$WORK/failed-once" ]
    compare "$WORK/snake"
fi
echo "all as it should be"
