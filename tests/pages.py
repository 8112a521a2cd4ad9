"""What a page refers to, and whether its tags are balanced."""

from html.parser import HTMLParser


class Links(HTMLParser):
    """Sources and links of a page, and the tags that are left open."""

    def __init__(self, page):
        super().__init__()
        self.sources, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.sources += [v for k, v in attributes if k in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
