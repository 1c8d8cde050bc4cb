"""Links from senders: only links that a browser can follow are kept."""

import urllib.parse

SCHEMES = ("https://", "http://")


def absolute(link: str, external_url: str = "") -> str:
    """Return the link as an absolute HTTP URL; empty if it isn't one.

    A relative link is joined to ``external_url``, the sender's own address, if that is known.
    """
    link = link.strip()
    if not link or link.startswith(SCHEMES):
        return link
    try:
        joined = urllib.parse.urljoin(external_url, link)
    except ValueError:
        return ""
    # Any other scheme, such as `javascript:`, would run in the browser of a responder who follows the link.
    return joined if joined.lower().startswith(SCHEMES) else ""
