# The operator's image: `videojob controller` and `videojob worker`. Triton is not in it, nor a compiler, nor the model
# runtimes of the laptop. The same file builds for amd64 and arm64: every package has wheels for both.
#
#   docker build --build-arg BASE_IMAGE=python:3.11-slim-bookworm@sha256:... -t videojob .
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_VIRTUALENV=1
COPY requirements/build.txt requirements/runtime.txt /build/requirements/
RUN python3 -m venv /opt/hatch && /opt/hatch/bin/pip install --require-hashes -r /build/requirements/build.txt
# --compile: the root is read-only in pods, so bytecode that is not here would be made again at every start.
RUN python3 -m venv /opt/videojob \
 && /opt/videojob/bin/pip install --compile --only-binary :all: --require-hashes -r /build/requirements/runtime.txt
COPY pyproject.toml README.md LICENSE /build/
COPY model_repository /build/model_repository
COPY operator /build/operator
# What botocore keeps of AWS: the services that are called, and those that credentials come from. A test holds the list
# and the code together.
ARG AWS_SERVICES="cloudwatch dynamodb ec2 eks eks-auth lambda pricing s3 sagemaker-runtime service-quotas signin sns sqs \
sso sso-oidc sts"
# What is left out at the end is never used at run time: installers, types, tests of others, a second client of
# Kubernetes, OpenCV's own detectors, all other services of AWS.
RUN cd /build && /opt/hatch/bin/python -m hatchling build -t wheel -d /build/dist \
 && /opt/videojob/bin/pip install --compile --no-deps /build/dist/*.whl \
 && /opt/videojob/bin/pip uninstall --yes setuptools pip \
 && find /opt/videojob -name '*.pyi' -delete \
 && find /opt/videojob -type d -name tests -prune -exec rm -rf {} + \
 && cd /opt/videojob/lib/python3*/site-packages \
 && rm -rf kubernetes/aio cv2/data \
 && find botocore/data -mindepth 1 -maxdepth 1 -type d $(printf '! -name %s ' $AWS_SERVICES) -exec rm -rf {} +

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="videojob" \
      org.opencontainers.image.description="Video inference from one manifest: controller and workers of VideoJob" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/videojob /opt/videojob
ENV PATH=/opt/videojob/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENTRYPOINT ["videojob"]
