"""The one HTTP stack: what speaks to Arkindex, to storages, image servers and vast.ai goes through it.

The same certificates, proxies, time limits and user agent for all; a token for one origin; no retries.
`requests` is imported by the first request, so that this package costs nothing to those who send none.
"""
