"""What the controller gives planner and worker pods beside the job's file: folders, environment, and their defaults.

`kube.render` writes them into pods and `videojob worker` reads them there. Running Jobs have them, so names stay.
"""

from __future__ import annotations

JOB_FOLDER = "/etc/videojob/job"
"""Where the job's file is mounted."""
SCRATCH = "/scratch"
"""Where the scratch folder is mounted."""
SCRATCH_VARIABLE = "VIDEOJOB_SCRATCH"
SCRATCH_BYTES_VARIABLE = "VIDEOJOB_SCRATCH_BYTES"
"""Size limit of that folder."""
DECODER_BYTES_VARIABLE = "VIDEOJOB_DECODER_BYTES"
"""Memory of the pod that is left for its decoders."""
FAILURES_VARIABLE = "VIDEOJOB_INDEX_FAILURES"
"""How many pods of the index have failed before."""
SERVER_PATIENCE_S = 120
"""How long a worker waits for its server where its command line does not say."""
