# Read by the scripts that try the participant's page, from the project's folder: sets `python` to one with pika and joserfc and lays the page's
# programs into `folder`. Where no such Python can be had it says so and ends: as a failure in continuous integration, else as a skip.
page=Docs/integrate/participant.md
folder=.build/participant

skip() {
    if [ "${CI:-}" = true ]; then echo "FAILED: $1; Deploy/setup.sh --check installs python3-venv" >&2; exit 1; fi
    echo "SKIPPED: $tried not tried, $1 (Deploy/setup.sh --check installs python3-venv)"
    exit 0
}

command -v python3 > /dev/null || skip "there is no python3 here"
mkdir -p "$folder"
# The page names the versions; an environment of an earlier run with just these is kept.
pins=$(grep -o '[a-z][a-z]*==[0-9][0-9.]*' "$page" | sort)
python=$folder/venv/bin/python
if ! [ -x "$python" ] || [ "$pins" != "$(cat "$folder/pins" 2>/dev/null)" ]; then
    rm -rf "$folder/venv" "$folder/pins"
    # shellcheck disable=SC2086
    if python3 -m venv "$folder/venv" > "$folder/venv.log" 2>&1 && "$python" -m pip install -q $pins >> "$folder/venv.log" 2>&1; then
        echo "$pins" > "$folder/pins"
    elif python3 -c 'import pika, joserfc' 2>/dev/null; then
        python=python3
    else
        skip "no environment with pika and joserfc could be made (see $folder/venv.log)"
    fi
fi

# Each program stands in a block that names its file.
rm -f "$folder"/*.py
awk -v folder="$folder" '/^```python / { file = folder "/" $2; next } /^```$/ { file = "" } file { print > file }' "$page"
export PYTHONDONTWRITEBYTECODE=1
