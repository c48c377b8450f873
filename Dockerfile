# The study as a container:  docker build -t hippo . && docker run --publish 5000:5000 --rm --name hippo hippo
# Runs as it is in production (certificates needed); for development see line 3 of xvfb.sh.
# --build-arg XVFB=1 adds a virtual display, --build-arg EXTRA="gym==0.26.2 pyglet==1.5.27" more Python packages.

FROM python:3.11.14-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock /tmp/
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --quiet --require-hashes --only-binary :all: -r /tmp/requirements.lock
ARG EXTRA=""
RUN if [ -n "$EXTRA" ]; then \
        /opt/venv/bin/pip freeze >/tmp/constraints.txt \
        && /opt/venv/bin/pip install --quiet -c /tmp/constraints.txt $EXTRA; \
    fi \
    && /opt/venv/bin/pip uninstall --quiet --yes pip setuptools \
    && find /opt/venv -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +

FROM python:3.11.14-slim-bookworm
ARG XVFB=""
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends tini ${XVFB:+xvfb} \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 ADDRESS=0.0.0.0 XVFB=$XVFB
RUN useradd --system --uid 10001 --home-dir /study hippo && install -d -o hippo -g hippo /study /study/Trials
WORKDIR /study
COPY . .
# Its user may write no bytecode beside the program: without this, each start would compile all of it.
RUN python3 -m compileall -q --invalidation-mode checked-hash hippogym trial.py
USER hippo
EXPOSE 5000
VOLUME /study/Trials
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python3", "-m", "hippogym.health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--"]
CMD ["./xvfb.sh"]
