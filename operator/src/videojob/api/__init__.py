"""What a user writes: VideoJob, the loader that reads it, and the CRD made from it. The lowest layer.

load.load_manifests(path)   a file's VideoJobs, or ManifestProblems with every problem and its place
videojob.VideoJob           the models: videojob, metadata, spec, status
units                       durations and decimals, which travel as text
rules                       what schema keywords cannot say, once for CEL and for Python
crd.crd_yaml()              the CustomResourceDefinition
"""
