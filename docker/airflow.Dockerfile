# Airflow with this toolkit in it, from the same hash-pinned lock that the tests run with.
FROM python:3.11-slim-bookworm

# What Microsoft's driver, which comes in a wheel, is linked against.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgssapi-krb5-2 libltdl7 \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/etl
COPY requirements requirements
RUN pip install --no-cache-dir --require-hashes -r requirements/uv.txt \
 && uv pip install --system --no-cache --require-hashes -r requirements/all.txt

COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY generators generators
COPY queries queries
COPY etl etl
RUN uv pip install --system --no-cache --no-deps --no-build-isolation .
COPY dags dags

# The volumes mounted here take over the owner.
RUN useradd --create-home --uid 50000 airflow \
 && mkdir -p /opt/airflow/logs /data \
 && chown -R airflow /opt/airflow /data
USER airflow
ENV AIRFLOW_HOME=/opt/airflow PYTHONUNBUFFERED=1
WORKDIR /data
ENTRYPOINT ["airflow"]
