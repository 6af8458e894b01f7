"""A folder of pages as one object: METS for digital libraries, IIIF manifests for viewers.

All name files relative to where they will stand; nothing is fetched.
"""
