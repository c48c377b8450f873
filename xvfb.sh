#!/bin/sh
# What the container runs. For development write dev at the end of line 3: plain http, and nothing is uploaded.
set -- python3 communicator.py

# Only environments that draw into a window need a display (old gym with pyglet); XVFB=1 gives them one.
# xvfb-run would swallow the signal that says "stop", and with it the last ticks: so Xvfb runs beside, and we become Python.
if [ -n "${XVFB:-}" ]; then
    command -v Xvfb >/dev/null || {
        echo "XVFB is set, but this image has no Xvfb: build it with --build-arg XVFB=1" >&2
        exit 2
    }
    export DISPLAY=:99
    Xvfb "$DISPLAY" -screen 0 1400x900x24 -nolisten tcp >/dev/null 2>&1 &
    tries=0
    while [ ! -S /tmp/.X11-unix/X99 ]; do
        tries=$((tries + 1))
        [ "$tries" -le 100 ] || { echo "Xvfb did not start within 10 s" >&2; exit 2; }
        sleep 0.1
    done
fi
exec "$@"
