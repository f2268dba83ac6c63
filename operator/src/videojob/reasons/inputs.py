"""Reasons of a video that cannot be used, alphabetical but for the general one."""

from __future__ import annotations

from videojob.reasons.row import RESUME_OR_CREATE, Reason, failed


def _input(word: str, meaning: str, advice: str, details: str) -> Reason:
    """A video that has to be repaired: the other videos' segments stay on one machine, and do not on a cluster."""
    return failed(
        word,
        meaning,
        machine=f"{advice}, then run it again.",
        cluster=f"{advice}, for a new VideoJob.",
        details=details,
    )


_REMUX = """\
```console
$ ffmpeg -i broken.mp4 -map 0:v:0 -c copy whole.mp4
```
"""
INPUTS = (
    _input(
        "InputInvalid",
        "A video cannot be used.",
        "Repair or leave out the video that the message names",
        "It has this reason when no more specific one fits.\n",
    ),
    failed(
        "DecodeTimeout",
        "The demuxer or decoder made no progress in time.",
        machine="The file may be built to never end: remux it from its source, then run it again.",
        cluster="The file may be built to never end: remux it from its source, for a new VideoJob.",
        details=f"""\
The decoder took no packet for 30 seconds, or the file gives its data again and again. Some files are built so; others
are on a file system that hangs: copy the file to a local disk and retry once. Then remux it:

{_REMUX}""",
    ),
    failed(
        "DecoderCrashed",
        "The decoder process died on this file; the other videos are processed.",
        machine="The file triggers a decoder fault: transcode it from its source, then run it again.",
        cluster="The file triggers a decoder fault: transcode it from its source, for a new VideoJob.",
        details="""\
The decoder process died on this file twice, on a cluster in two pods, or its pictures do not fit into the memory that
it may use: 3 GiB, on a cluster what `worker.memoryLimit` leaves. The message says which.

```console
$ ffmpeg -i broken.mp4 -map 0:v:0 -c:v libx264 whole.mp4
```
""",
    ),
    _input(
        "FormatNotAllowed",
        "The file is a playlist or script that points elsewhere.",
        "Give the media file itself, not a playlist (HLS, DASH, concat, SDP)",
        "To get a stream as one file: `ffmpeg -i playlist.m3u8 -c copy video.mp4`.\n",
    ),
    _input(
        "InputAddressForbidden",
        "The address is, or leads to, a private or local one.",
        "Use a public address, or put the file into S3",
        """\
An http input is, or leads to, an address that is not on the open internet, directly, by a redirect, or by what its name
resolves to. No setting allows it. On one machine you can also download the file and use `file`.
""",
    ),
    failed(
        "InputChanged",
        "The object was replaced while the job ran.",
        machine="Pin a versionId, or run it again with the new object.",
        cluster="Pin a versionId in a new VideoJob, or create it again with the new object.",
        details="""\
The object is not the one that the job planned. Wait with recordings that are still being written until they are closed.
""",
    ),
    _input(
        "InputContainerInvalid",
        "The container's own structure is broken.",
        "The recording was probably cut off: export it again, or remux it from its source",
        """\
An MP4 without a `moov` box was cut off while it was recorded: its index would have been written last. Export it again
from the camera or recorder. For a file that is damaged elsewhere, try the remux under [DecodeTimeout](#decodetimeout).
""",
    ),
    failed(
        "InputCorrupt",
        "A stretch of the video cannot be decoded, and onCorruption is Fail.",
        machine="Set onCorruption: Skip and run it again: the damaged stretch is then named as a gap.",
        cluster="Create a new VideoJob with onCorruption: Skip: the damaged stretch is then named as a gap.",
        details="""\
The message has the time. A job with gaps ends `PartiallyCompleted`. A video without one intact picture is refused with
`Skip`, too. `ffmpeg -v error -i FILE -f null -` lists what is damaged.
""",
    ),
    _input(
        "InputEncrypted",
        "The video's pictures are encrypted.",
        "Decrypt the video with its key, or record it without protection",
        """\
The container says so: Common Encryption or FairPlay in an MP4, a scrambled transport stream (pay television, or a
recorder that stored it without a card), SAMPLE-AES of HLS, ContentEncryption in Matroska or WebM. Nothing was decoded.
For an MP4 whose key you have: `ffmpeg -decryption_key KEY -i FILE -map 0:v:0 -c copy clear.mp4`.
""",
    ),
    failed(
        "InputAccessDenied",
        "S3 denies access to the object, or to the key that it is encrypted with.",
        machine="Allow this identity what the message names, then run it again.",
        cluster="Allow the workers' role what the message names, for a new VideoJob.",
        details="""\
The message quotes S3. Usual causes are a missing `s3:GetObject`, a missing `kms:Decrypt` on the key (in the identity's
policy and, across accounts, in the key's own), a bucket of another account than `expectedBucketOwner`, and a bucket
whose requester pays: set `requesterPays: true` at the input then, and your account is billed for what is read. S3 also
answers so for an object that does not exist, unless the identity may list the bucket.

```console
$ aws sts get-caller-identity
$ aws s3api head-object --bucket BUCKET --key KEY --request-payer requester
```
""",
    ),
    failed(
        "InputNotFound",
        "There is no such file, object or version, or it may not be read.",
        machine="Check the path or key, and that this identity may read it.",
        cluster="Check the key, and that the workers' role may read it, for a new VideoJob.",
        details="""\
On one machine relative paths start at the manifest's folder, not at the current one. The message says whether S3 lacks
the bucket, the key or the version, or has a delete marker in its place. A pre-signed http address may have expired.
""",
    ),
    _input(
        "InputNotVideo",
        "The file is empty, text, or of no known container.",
        "Check what the file is; MP4/MOV, MKV/WebM, AVI, MPEG-TS, FLV and OGG are supported",
        """\
Where the first bytes tell a known format, the message names it and the command that makes a readable video of it:
recordings of Dahua (`.dav`) and Hikvision, MPEG program streams (`.mpg`, `.vob`), Windows Media, GIF, bare H.264. It
encodes H.264 in a program stream again, because a copy would have wrong times. Error pages saved as `video.mp4` are
another usual cause, and data that are still encrypted.
""",
    ),
    _input(
        "InputTooLarge",
        "The object is larger than may be copied.",
        "Split the recording into smaller files",
        """\
On one machine a download may have 128 GiB; a `file` has no limit. On a cluster the limit is the workers' scratch space,
and concerns only videos that cannot be read block by block ([inputs](inputs.md)).
""",
    ),
    failed(
        "InputUnavailable",
        "The object could not be read now: throttling, a server error, no answer, too slow.",
        machine="Run it again: finished segments are kept. Check the network if it comes back.",
        cluster=f"Check that the nodes reach the address. {RESUME_OR_CREATE}",
        retryable=True,
        details="""\
Each read is retried several times before this. On one machine a download continues where it stopped. An object in an
archive class of S3 has to be restored first. A prefix that cannot be listed is one input that cannot be read.

Such an input is retried after all others, after 10 s, 20 s, 40 s and so on, up to ten minutes, as often as
`backoffLimit` says: with the default of 5 that takes more than five minutes, with 8 more than half an hour. Then the
video is given up, the message says for how long it was tried, and the job ends `PartiallyCompleted`. It fails only when
not one input can be read, and on one machine when finished results have a video that is away now: results without it
would replace them.

On one machine a rerun takes such a video up and keeps the segments of all others. On a cluster a worker's pod processes
its other segments before a video comes again, and Kubernetes starts another pod for what is left after the same pauses.
Pods that are disrupted do not count.
""",
    ),
    _input(
        "NoFrames",
        "A video stream has not one frame that can be decoded.",
        "The file holds no picture: remove it from the inputs",
        "",
    ),
    _input(
        "NoVideoStream",
        "The file has no video stream.",
        "The file holds no picture: remove it from the inputs",
        "It has only sound, or a cover picture.\n",
    ),
    _input(
        "ResolutionLimitExceeded",
        "The header claims a larger picture than is accepted.",
        "Scale the video down to at most 8192 x 8192",
        "For example `ffmpeg -i FILE -vf scale=3840:-2 small.mp4`.\n",
    ),
)
