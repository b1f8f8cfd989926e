#!/usr/bin/env bash
# The base images of the image build.
#
#   python:3.11-slim-bookworm   the stock image; where no registry has it, a stand-in made with debootstrap
#   algoport-builder:3.11       the same with this machine's settings of pip: certificates, pip.conf, wheels. Made only
#                               where there are such settings; the Makefile takes it as BUILDER where it exists.
#
# What is there already is left alone. Making the stand-in needs root, and takes about a minute.
set -euo pipefail

STOCK=${STOCK:-python:3.11-slim-bookworm}
BUILDER=${BUILDER:-algoport-builder:3.11}
SUITE=bookworm

main() {
  there "$STOCK" || docker pull -q "$STOCK" >/dev/null 2>&1 || stand_in
  if has_settings && ! there "$BUILDER"; then builder; fi
}

there() { docker image inspect "$1" >/dev/null 2>&1; }

# A small Debian with the same Python, found under the same names as in the stock image.
stand_in() {
  echo "No registry has $STOCK; making a stand-in from Debian packages." >&2
  if ! command -v debootstrap >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
  fi
  local root
  root=$(mktemp -d)
  # Double quotes: the folder is that of now, whatever `root` is when the script ends.
  trap "rm -rf '$root'" EXIT
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv "$SUITE" "$root" $(mirror) >/dev/null
  local name
  for name in python python3; do ln -s /usr/bin/python3 "$root/usr/local/bin/$name"; done
  ln -s /usr/bin/pip3 "$root/usr/local/bin/pip"
  # Debian's pip refuses to install beside its packages unless this file is gone.
  rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale}/*
  tar -C "$root" -c . | docker import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' - "$STOCK" >/dev/null
}

# Where this machine gets its Debian packages, which may be the only place that answers.
mirror() {
  sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1 | grep . ||
    sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1
}

has_settings() { [ -n "${PIP_CERT:-}${PIP_FIND_LINKS:-}${PIP_INDEX_URL:-}" ] || [ -s /etc/pip.conf ]; }

builder() {
  local work cert=/etc/ssl/certs/ca-certificates.crt
  work=$(mktemp -d)
  mkdir "$work/wheels"
  cp "${PIP_CERT:-$cert}" "$work/ca.crt"
  if [ -d "${PIP_FIND_LINKS:-}" ]; then cp "$PIP_FIND_LINKS"/*.whl "$work/wheels/"; fi
  cat /etc/pip.conf >"$work/pip.conf" 2>/dev/null || true
  {
    echo "FROM $STOCK"
    echo "COPY ca.crt $cert"
    echo "COPY pip.conf /etc/pip.conf"
    echo "COPY wheels /opt/wheels"
    echo "ENV PIP_CERT=$cert SSL_CERT_FILE=$cert REQUESTS_CA_BUNDLE=$cert PIP_ROOT_USER_ACTION=ignore"
    echo "ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_DEFAULT_TIMEOUT=180"
    if [ -n "${PIP_INDEX_URL:-}" ]; then echo "ENV PIP_INDEX_URL=$PIP_INDEX_URL"; fi
    if [ -n "${PIP_FIND_LINKS:-}" ]; then echo "ENV PIP_FIND_LINKS=/opt/wheels"; fi
  } >"$work/Dockerfile"
  docker build -q -t "$BUILDER" "$work" >/dev/null
  rm -rf "$work"
}

main
