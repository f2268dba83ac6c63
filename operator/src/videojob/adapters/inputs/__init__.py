"""Inputs: from what a manifest names to regular files on this machine, each pinned to its content.

Three kinds, one promise (`ports.InputFetcher`): `LocalFiles`, `S3Objects`, `HttpFiles`. A fetched input carries a
`version`; whoever fetches it again with that version gets the same bytes or `InputChanged`. Downloads are resumable:
a partial file is kept under a name that holds the version, and becomes visible by one rename when it is whole.
"""
