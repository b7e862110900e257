"""Pelican: RSS of the publication and of each category, and nothing else."""

SITENAME = "The Harbour"
SITEURL = "https://harbour.example"
FEED_DOMAIN = SITEURL
TIMEZONE = "UTC"
DEFAULT_LANG = "en"

FEED_RSS = "feed.rss"
CATEGORY_FEED_RSS = "sections/{slug}/feed.rss"
FEED_ATOM = FEED_ALL_ATOM = CATEGORY_FEED_ATOM = AUTHOR_FEED_ATOM = AUTHOR_FEED_RSS = (
    TRANSLATION_FEED_ATOM
) = None
FEED_MAX_ITEMS = 20
RSS_FEED_SUMMARY_ONLY = False

ARTICLE_URL = "articles/{slug}/"
ARTICLE_SAVE_AS = DRAFT_SAVE_AS = PAGE_SAVE_AS = CATEGORY_SAVE_AS = AUTHOR_SAVE_AS = TAG_SAVE_AS = ""
DIRECT_TEMPLATES: list[str] = []
STATIC_PATHS: list[str] = []
THEME_STATIC_PATHS: list[str] = []
PATH_METADATA = ""
DEFAULT_PAGINATION = False
LOG_FILTER: list[tuple[int, str]] = []
