// node read.mjs FOLDER DOCUMENT... prints what two parsers make of feeds, in the facts of tests/readback.py:
// {"<parser> <format>": {"<document>": {feed: {"<fact>": its value}, entries: [{...}], all: whatever it found}}}
// A document is a path without its ending, such as "archive/1". Moments are seconds since 1970.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseFeed } from "feedsmith";
import RssParser from "rss-parser";

const date = (text) => text && Date.parse(text) / 1000;

const linkFacts = (links = []) => {
  const to = (rel) => links.filter((link) => link.rel === rel).map((link) => link.href);
  return { address: to("self")[0], hubs: to("hub"), previous: to("prev-archive")[0], current: to("current")[0] };
};

const sizeOf = (picture) => picture?.width && [Number(picture.width), Number(picture.height)];

const mediaFacts = (media) => {
  const picture = media?.contents[0];
  return {
    image: picture?.url,
    image_type: picture?.type,
    image_size: sizeOf(picture),
    alt: picture?.title?.value,
    caption: picture?.description?.value,
    credit: picture?.credits?.[0].value,
    thumbnail: picture?.thumbnails?.[0].url,
  };
};

// It drops what JSON Feed leaves to others, such as `_feedwright`: asked for all the same.
const feedsmith = {
  rss: {
    feed: (feed) => ({
      title: feed.title,
      description: feed.description,
      home_page: feed.link,
      ...linkFacts(feed.atom?.links),
      language: feed.language,
      updated: date(feed.lastBuildDate),
      generator: feed.generator,
      copyright: feed.copyright,
      authors: feed.dc?.creators,
      icon: feed.image?.url,
    }),
    entry: (item) => ({
      title: item.title,
      id: item.guid.value,
      link: item.link,
      authors: item.dc?.creators,
      published: date(item.pubDate),
      updated: date(item.atom?.updated),
      summary: item.description,
      content: item.content?.encoded,
      categories: item.categories?.map((category) => category.name),
      ...mediaFacts(item.media),
      enclosure: item.enclosures?.map((one) => [one.url, one.type, one.length])[0],
      duration: item.itunes?.duration,
      language: item.dc?.languages?.[0],
      rights: item.dc?.rights?.[0],
    }),
  },
  atom: {
    feed: (feed) => ({
      id: feed.id,
      title: feed.title.value,
      description: feed.subtitle?.value,
      home_page: feed.links.find((link) => link.rel === "alternate")?.href,
      ...linkFacts(feed.links),
      language: feed.xml?.lang,
      updated: date(feed.updated),
      generator: feed.generator && `${feed.generator.text} ${feed.generator.version}`,
      copyright: feed.rights?.value,
      authors: feed.authors?.map((author) => author.name),
      icon: feed.icon,
      logo: feed.logo,
    }),
    entry: (entry) => ({
      title: entry.title.value,
      id: entry.id,
      link: entry.links.find((link) => link.rel === "alternate")?.href,
      authors: entry.authors?.map((author) => author.name),
      published: date(entry.published),
      updated: date(entry.updated),
      summary: entry.summary?.value,
      content: entry.content?.value,
      categories: entry.categories?.map((category) => category.label),
      ...mediaFacts(entry.media),
      enclosure: entry.links
        .filter((one) => one.rel === "enclosure")
        .map((one) => [one.href, one.type, one.length])[0],
      duration: entry.itunes?.duration,
      language: entry.xml?.lang,
      rights: entry.rights?.value,
    }),
  },
  json: {
    feed: (feed) => ({
      title: feed.title,
      description: feed.description,
      home_page: feed.home_page_url,
      address: feed.feed_url,
      hubs: feed.hubs?.map((hub) => hub.url),
      language: feed.language,
      updated: date(feed._feedwright?.updated),
      generator: feed._feedwright?.generator,
      copyright: feed._feedwright?.copyright,
      authors: feed.authors?.map((author) => author.name),
      icon: feed.icon,
      logo: feed._feedwright?.logo,
      previous: feed.next_url,
    }),
    entry: (item) => ({
      title: item.title,
      id: item.id,
      link: item.url,
      authors: item.authors?.map((author) => author.name),
      published: date(item.date_published),
      updated: date(item.date_modified),
      summary: item.summary,
      content: item.content_html,
      categories: item.tags,
      image: item.image,
      image_type: item._feedwright?.image?.type,
      image_size: sizeOf(item._feedwright?.image),
      alt: item._feedwright?.image?.alt,
      caption: item._feedwright?.image?.caption,
      credit: item._feedwright?.image?.credit,
      thumbnail: item.image,
      enclosure: item.attachments?.map((one) => [one.url, one.mime_type, one.size_in_bytes])[0],
      duration: item.attachments?.[0].duration_in_seconds,
      language: item.language,
      rights: item._feedwright?.rights,
    }),
  },
};

// rss-parser gives an element that it does not know when it is asked for it; `$` are the attributes.
const asked = (...names) => names.map((name) => [name, `<${name}>`, { keepArray: true }]);
const ofMedia = ["media:content", "itunes:duration"];
const ofAtom = ["id", "subtitle", "link", "generator", "rights", "author", "icon", "logo"];
const ask = {
  rss: {
    feed: asked("atom:link", "fh:archive"),
    item: asked("atom:updated", ...ofMedia),
  },
  atom: {
    feed: asked("$", ...ofAtom, "fh:archive", "at:deleted-entry"),
    item: asked("$", "updated", "category", "link", "rights", ...ofMedia),
  },
};

const attributes = (elements) => elements?.map((one) => one.$);
const text = (elements) => elements?.[0]._ ?? elements?.[0];

const askedMediaFacts = (item) => {
  const [picture] = item["<media:content>"] ?? [];
  return {
    image: picture?.$.url,
    image_type: picture?.$.type,
    image_size: sizeOf(picture?.$),
    alt: text(picture?.["media:title"]),
    caption: text(picture?.["media:description"]),
    credit: text(picture?.["media:credit"]),
    thumbnail: picture?.["media:thumbnail"]?.[0].$.url,
    duration: item["<itunes:duration>"] && Number(text(item["<itunes:duration>"])),
  };
};

const tombstone = (deleted) => [deleted.$.ref, deleted.$.when, text(deleted["at:comment"])];

const rssParser = {
  rss: {
    feed: (feed) => ({
      ...linkFacts(attributes(feed["<atom:link>"])),
      title: feed.title,
      description: feed.description,
      home_page: feed.link,
      address: feed.feedUrl,
      language: feed.language,
      updated: date(feed.lastBuildDate),
      generator: feed.generator,
      copyright: feed.copyright,
      authors: feed.creator && [feed.creator],
      icon: feed.image?.url,
      archive: "<fh:archive>" in feed,
    }),
    entry: (item) => ({
      title: item.title,
      id: item.guid,
      link: item.link,
      authors: item.creator && [item.creator],
      published: date(item.isoDate),
      updated: date(text(item["<atom:updated>"])),
      summary: item.content,
      content: item["content:encoded"],
      categories: item.categories?.map((category) => category._),
      ...askedMediaFacts(item),
      enclosure: item.enclosure && [item.enclosure.url, item.enclosure.type, Number(item.enclosure.length)],
      language: item.language,
      rights: item.rights,
    }),
  },
  atom: {
    feed: (feed) => ({
      ...linkFacts(attributes(feed["<link>"])),
      id: text(feed["<id>"]),
      title: feed.title,
      description: text(feed["<subtitle>"]),
      home_page: feed.link,
      address: feed.feedUrl,
      language: feed["<$>"]["xml:lang"],
      updated: date(feed.lastBuildDate),
      generator: feed["<generator>"]?.map((one) => `${one._} ${one.$.version}`)[0],
      copyright: text(feed["<rights>"]),
      authors: feed["<author>"]?.map((author) => text(author.name)),
      icon: text(feed["<icon>"]),
      logo: text(feed["<logo>"]),
      archive: "<fh:archive>" in feed,
      tombstones: feed["<at:deleted-entry>"]?.map(tombstone),
    }),
    entry: (entry) => ({
      title: entry.title,
      id: entry.id,
      link: entry.link,
      authors: entry.author && [entry.author],
      published: date(entry.isoDate),
      updated: date(text(entry["<updated>"])),
      summary: entry.summary,
      content: entry.content,
      categories: attributes(entry["<category>"])?.map((category) => category.label),
      ...askedMediaFacts(entry),
      enclosure: attributes(entry["<link>"])
        .filter((one) => one.rel === "enclosure")
        .map((one) => [one.href, one.type, Number(one.length)])[0],
      language: entry["<$>"]["xml:lang"],
      rights: text(entry["<rights>"]),
    }),
  },
};

const [folder, ...documents] = process.argv.slice(2);
const read = {};

const note = (parser, format, document, feed, facts) => {
  const entries = (feed.items ?? feed.entries).map(facts.entry);
  (read[`${parser} ${format}`] ??= {})[document] = { feed: facts.feed(feed), entries, all: feed };
};

for (const document of documents) {
  const source = (format) => readFileSync(join(folder, `${document}.${format}`), "utf8");
  for (const [format, facts] of Object.entries(feedsmith)) {
    note("feedsmith", format, document, parseFeed(source(format)).feed, facts);
  }
  for (const [format, facts] of Object.entries(rssParser)) {
    const feed = await new RssParser({ customFields: ask[format] }).parseString(source(format));
    note("rss-parser", format, document, feed, facts);
  }
}
console.log(JSON.stringify(read));
