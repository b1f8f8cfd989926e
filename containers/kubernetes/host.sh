#!/bin/sh
# Lays out what one host finds below /opt/ml before it trains, from what is the same for all hosts and from its number.
#
#   GIVEN       the folder of hyperparameters.json, inputdataconfig.json and whatever else all hosts are told
#   HOST_NAMES  the names of all hosts, with spaces between them, as they can be reached
#   HOST_INDEX  the number of this one, from 0
#   SHARDED     the channels whose files the hosts share out, with spaces between them; they lie in $SHARDS/CHANNEL
#   OUTPUT      the folder that gets `model`, `checkpoints` and `output/HOST_INDEX`
#   BASE        in place of /opt/ml
set -eu
BASE=${BASE:-/opt/ml}
mkdir -p "$BASE/input/config" "$OUTPUT/model" "$OUTPUT/checkpoints" "$OUTPUT/output/$HOST_INDEX"
rm -f "$OUTPUT/output/$HOST_INDEX/failure"

for file in "$GIVEN"/*.json; do
    cat "$file" >"$BASE/input/config/${file##*/}"
done

number=0 hosts='' current=''
for name in $HOST_NAMES; do
    [ "$number" -ne "$HOST_INDEX" ] || current=$name
    hosts="$hosts${hosts:+, }\"$name\""
    number=$((number + 1))
done
if [ -z "$current" ]; then
    echo "HOST_INDEX: must be from 0 to $((number - 1)), as there are $number hosts; it is $HOST_INDEX." >&2
    exit 2
fi
printf '{"current_host": "%s", "hosts": [%s], "network_interface_name": "eth0"}\n' "$current" "$hosts" \
    >"$BASE/input/config/resourceconfig.json"

# Every n-th file, by the order of their paths, as the objects of a channel are shared out.
for channel in ${SHARDED:-}; do
    source=$SHARDS/$channel position=0
    mkdir -p "$BASE/input/data/$channel"
    find -L "$source" -mindepth 1 -name '[._]*' -prune -o -type f -size +0c -print | LC_ALL=C sort |
        while IFS= read -r file; do
            if [ $((position % number)) -eq "$HOST_INDEX" ]; then
                link=$BASE/input/data/$channel/${file#"$source"/}
                mkdir -p "${link%/*}"
                ln -sf "$file" "$link"
            fi
            position=$((position + 1))
        done
done
