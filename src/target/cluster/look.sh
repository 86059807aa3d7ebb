# Looks into a container in one go, in the POSIX shell's own words: it runs in images of which nothing else is known. What it
# prints is read by look.rs: a line `MARK WHAT SUBJECT CODE`, then the words of the program.
set -f
newline='
'

# $1 what, $2 subject, $3 exit code, $4 the words. One write of less than PIPE_BUF, so that several at once do not mix.
tell() { printf '%s %s %s %s\n%s\n' "$MARK" "$1" "$2" "$3" "$4"; }

# $1 what, then the command; its complaints are only asked for where it fails.
ask() {
  what=$1
  shift
  words=$("$@" 2>/dev/null)
  code=$?
  [ "$code" -eq 0 ] || words=$("$@" 2>&1)
  tell "$what" - "$code" "$words"
}

# As JSON where this `ip` can, else as text. $1 what, then the arguments.
json=1
ask_ip() {
  if [ -n "$json" ]; then
    what=$1
    shift
    words=$(ip -j "$@" 2>/dev/null)
    case $?/$words in 0/'['*) tell "$what" - 0 "$words" && return ;; esac
    json=
    set -- "$what" "$@"
  fi
  what=$1
  shift
  ask "$what" ip "$@"
}

# The device that a line of `ip route` names, in `device`.
device_of() {
  device=
  while [ $# -gt 1 ]; do
    [ "$1" = dev ] && device=$2 && return
    shift
  done
}

# The destinations of the routes to one address that do not lead where the default route does: the peers of point-to-point
# links. `routes` and `routes_v6` have them as text.
peers() {
  away=lo
  for pass in away peers; do
    IFS=$newline
    for line in $routes $routes_v6; do
      unset IFS
      set -- $line
      [ $# -gt 2 ] || continue
      device_of "$@"
      case $pass/$1 in
      away/default) away="$away $device" ;;
      peers/*[!0-9a-f.:]*) ;;
      peers/*[.:]*) case " $away " in *" $device "*) ;; *) echo "$1" ;; esac ;;
      esac
    done
    unset IFS
  done
}

# $1 destination. It fails where nothing comes back. Those that cannot forbid to cut packets (busybox, inetutils) have words of
# their own for times, so that nothing has to be tried out later.
usual() {
  words=$(ping -q -c "$COUNT" -i "$INTERVAL" -W "$WAIT" "$1" 2>&1)
  code=$?
  # Older ones of iputils let nobody but root send them faster than that.
  case $code/$words in 2/*flood* | 2/*minimal*interval*)
    words=$(ping -q -c "$COUNT" -i 0.2 -W "$WAIT" "$1" 2>&1)
    code=$?
    ;;
  esac
  case $words in *round-trip*) whole= ;; *) whole='-M do' ;; esac
  # The longest of the times, in whole milliseconds: min/avg/max, and what may follow.
  longest=${words##*= }
  longest=${longest#*/*/}
  longest=${longest%%[./ ]*}
  tell ping "$1" "$code" "$words"
  return "$code"
}

# `ping`, which waits for whole seconds only, and is told by SIGINT to say what it has counted. Where the usual packets have come
# back within a tenth of a second, one that has not within half of one does not come.
ping_in_time() {
  case $longest in [0-9] | [0-9][0-9]) ;; *) ping "$@"; return ;; esac
  ping "$@" &
  pinging=$!
  { sleep 0.5 || sleep 1; kill -INT "$pinging"; } >/dev/null 2>&1 &
  timer=$!
  wait "$pinging"
  code=$?
  kill "$timer" 2>/dev/null
  return "$code"
}

# One packet of a length, not to be cut on the way where this `ping` can say so. $1 destination, $2 length, $3 how often.
packet() {
  case $1 in *:*) payload=$(($2 - 48)) ;; *) payload=$(($2 - 28)) ;; esac
  words=$(ping_in_time $whole -q -c "$3" -i 0.2 -W 1 -s "$payload" "$1" 2>&1)
  code=$?
  case $whole/$words in -*option* | -*sage:*)
    words=$(ping_in_time -q -c "$3" -i 0.2 -W 1 -s "$payload" "$1" 2>&1)
    code=$?
    ;;
  esac
  tell "packet-$2" "$1" "$code" "$words"
}

# The longest packet that the interface admits; where it is lost, shorter ones, all at once. $1 destination
path_mtu() {
  device_of $(ip route get "$1" 2>/dev/null)
  if [ -z "$device" ]; then
    # busybox before 1.33 knows no `ip route get` for IPv6, and some no `get` at all.
    IFS=$newline
    for line in $(ip route 2>/dev/null) $(ip -6 route 2>/dev/null); do
      unset IFS
      set -- "$1" $line
      [ "$2" = "$1" ] && device_of "$@"
    done
    unset IFS
  fi
  [ -n "$device" ] && read -r admitted <"/sys/class/net/$device/mtu" 2>/dev/null || return
  [ "$admitted" -le 65535 ] || admitted=65535
  # What has not come back by then is waited for still; meanwhile shorter ones tell how long they may be. One may also get lost
  # for another reason.
  {
    { sleep 0.2 || sleep 1; } >/dev/null 2>&1
    packet "$1" "$admitted" 2 &
    for length in $PLATEAUS; do
      [ "$length" -lt "$admitted" ] && packet "$1" "$length" 1 &
    done
    wait
  } &
  shorter=$!
  said=$(packet "$1" "$admitted" 1)
  case $said in
  *" 100% packet loss"*) ;;
  *) kill "$shorter" 2>/dev/null; echo "$said" ;;
  esac
  wait
}

# $1 name, $2 server
lookup() {
  words=$(nslookup "$1" "$2" 2>&1)
  code=$?
  tell lookup "$2" "$code" "$words"
  return "$code"
}

# Where NSM's client has put a resolver of its own in front of the cluster's, asks both. The cluster's is only waited for as
# long as one that is there takes; NSM's for longer, but only where the cluster's has answered.
resolver() {
  words=$(cat /etc/resolv.conf 2>&1)
  tell resolver - $? "$words"
  own=
  before=
  domain=svc.cluster.local
  IFS=$newline
  for line in $words; do
    unset IFS
    set -- $line
    case $1/$2 in
    nameserver/127.0.0.1) own=$2 ;;
    '#nameserver'/[0-9a-f]*) before=${before:-$2} ;;
    esac
    for word; do case $word in svc.*) domain=$word ;; esac; done
  done
  unset IFS
  [ -n "$own" ] && [ -n "$before" ] || return
  lookup "kubernetes.default.$domain" "$before" &
  theirs=$!
  lookup "kubernetes.default.$domain" "$own" &
  ours=$!
  { sleep 0.6 2>/dev/null || sleep 1; kill "$theirs"; } >/dev/null 2>&1 &
  if wait "$theirs"; then
    { sleep 3; kill "$ours"; } >/dev/null 2>&1 &
    wait "$ours"
  else
    kill "$ours"
  fi
}

traces() {
  words=
  IFS=$newline
  for line in $(cat /proc/net/unix 2>/dev/null); do
    case $line in *memif*) words="$words${newline}memif ${line##* }" ;; esac
  done
  unset IFS
  set +f
  for file in /dev/vfio/*; do [ -e "$file" ] && words="$words${newline}vfio $file"; done
  for file in /sys/class/net/*/uevent; do
    while read -r line; do
      [ "$line" = DEVTYPE=wireguard ] && file=${file%/uevent} && words="$words${newline}wireguard ${file##*/}"
    done <"$file"
  done
  set -f
  tell traces - 0 "$words"
}

# A line for each interface: its name, and what the kernel has counted.
counters() {
  words=
  set +f
  for directory in /sys/class/net/*/statistics; do
    interface=${directory%/statistics}
    line=${interface##*/}
    for name in rx_bytes rx_packets rx_errors rx_dropped tx_bytes tx_packets tx_errors tx_dropped; do
      read -r value <"$directory/$name" 2>/dev/null || value=
      line="$line $value"
    done
    words="$words$newline$line"
  done
  set -f
  tell counters - 0 "$words"
}

if [ -n "$NETWORK" ]; then
  ask_ip links addr
  ask_ip routes route
  routes=$words
  ask_ip routes-v6 -6 route
  routes_v6=$words
  # Who wants no pings asks for none of them.
  if [ "$COUNT" -gt 0 ]; then
    if [ -n "$json" ]; then
      routes=$(ip route 2>/dev/null)
      routes_v6=$(ip -6 route 2>/dev/null)
    fi
    for peer in $(peers); do
      case " $PINGS " in *" $peer "*) ;; *) PINGS="$PINGS $peer" ;; esac
    done
  fi
fi
[ -z "$RESOLVER" ] || resolver &
[ -z "$TRACES" ] || traces
[ -z "$COUNTERS" ] || counters
running=0
for destination in $PINGS; do
  # One after the other: long packets may cost short ones their place in a queue.
  { usual "$destination" && [ -n "$PATH_MTU" ] && path_mtu "$destination"; } &
  running=$((running + 1))
  # A container's share of processes is bounded.
  [ $((running % 32)) -ne 0 ] || wait
done
wait
echo "$MARK end - 0"
