#!/bin/sh
# Installs every Debian package that building, running and testing Wasl needs. Safe to run twice.
#   Deploy/setup.sh            what building, `make demo` and `make test` need
#   Deploy/setup.sh --check    besides, what `make check` needs: a browser and the validators of published descriptions
# It never starts the system's own RabbitMQ: Wasl starts private nodes of its own.
set -eu

packages="librabbitmq-dev libsqlite3-dev libssl-dev libjq-dev rabbitmq-server openssl sqlite3 make git ca-certificates curl"
check_packages="chromium fonts-noto-core fonts-dejavu-core python3 python3-pip python3-venv"
wanted="$packages"
[ "${1:-}" = "--check" ] && wanted="$packages $check_packages"

missing=""
for package in $wanted; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done

if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "These packages are missing. As root, run:" >&2
        echo "  apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends$missing" >&2
        exit 69
    fi
    # A package's own start of its service is held back for as long as this script runs.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    # Nor at the next start of the machine, where there is systemd.
    if command -v systemctl >/dev/null 2>&1; then
        case "$missing" in *rabbitmq-server*) systemctl disable rabbitmq-server >/dev/null 2>&1 || true ;; esac
    fi
fi

if ! command -v swift >/dev/null 2>&1; then
    echo "Swift 6.2 or newer is missing: install it from swift.org, then run this again." >&2
    exit 69
fi
echo "Everything that is needed is there."
