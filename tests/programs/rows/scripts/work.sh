# SPDX-License-Identifier: Apache-2.0
# Runs in bash and zsh.
set -e
work() { i=0; words=""; while [ $i -lt 200 ]; do words="$words $((i * 7919 % 1009))"; i=$((i + 1)); done; echo "$words" | tr ' ' '\n' | sort -n | cksum; }
for n in 1 2 3 4; do work & done; wait
n=0; while [ $n -lt 20 ]; do (exit $n) || last=$?; n=$((n + 1)); done; echo "last $last"
seq 1 20000 | while read -r line; do echo "${line}x"; done | cksum
trap 'echo trapped' USR1; kill -USR1 $$; sleep 0
text=$(head -c 300000 /dev/zero | tr '\0' 'a'); echo "${#text}"
cat <<END | wc -c
${text}${text}
END
exec /bin/echo the end
